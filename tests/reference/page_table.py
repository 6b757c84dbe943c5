# SPDX-License-Identifier: Apache-2.0
"""Radix page tables, as far as they can be counted: nodes, bytes, reads of a walk.

The virtual page number is cut into one index a level. Every level but the top takes
floor(bits / levels) bits, the top takes the rest. With one level there is a single array, which
is backed piece by piece (512 entries each) as its pages are mapped.
"""

from __future__ import annotations

ENTRY_BYTES = 8
PIECE_ENTRIES = 512


class RadixPageTable:
    """A tree of tables with two or more levels; a table is a dict from index to lower table."""

    def __init__(self, levels: int, vpn_bits: int) -> None:
        low = vpn_bits // levels
        top = vpn_bits - low * (levels - 1)
        self.bits = [top] + [low] * (levels - 1)
        self.root: dict = {}
        self.tables = 1
        self.bytes = ENTRY_BYTES << top

    def indices(self, vpn: int) -> list[int]:
        """The index into each level, top first."""
        result = []
        for bits in reversed(self.bits):
            result.append(vpn & ((1 << bits) - 1))
            vpn >>= bits
        return result[::-1]

    def walk(self, vpn: int) -> int:
        """How many entries a walk reads until it meets an absent table or the leaf's entry."""
        reads = 0
        table: dict | None = self.root
        for index in self.indices(vpn):
            if table is None:
                break
            reads += 1
            table = table.get(index)
        return reads

    def map(self, vpn: int) -> None:
        """Makes the tables down to the leaf, and the leaf's entry."""
        table = self.root
        indices = self.indices(vpn)
        for bits, index in zip(self.bits[1:], indices):
            if index not in table:
                table[index] = {}
                self.tables += 1
                self.bytes += ENTRY_BYTES << bits
            table = table[index]
        table[indices[-1]] = {}


class SinglePageTable:
    """One array for all pages."""

    def __init__(self) -> None:
        self.pieces: set[int] = set()

    @property
    def tables(self) -> int:
        """Backed pieces."""
        return len(self.pieces)

    @property
    def bytes(self) -> int:
        """Bytes of the backed pieces."""
        return len(self.pieces) * PIECE_ENTRIES * ENTRY_BYTES

    def walk(self, _vpn: int) -> int:
        """One array, one read."""
        return 1

    def map(self, vpn: int) -> None:
        """Backs the piece that holds the page's entry."""
        self.pieces.add(vpn // PIECE_ENTRIES)


def make_page_table(levels: int, vpn_bits: int) -> RadixPageTable | SinglePageTable:
    """The page table of a new process."""
    return SinglePageTable() if levels == 1 else RadixPageTable(levels, vpn_bits)
