# SPDX-License-Identifier: Apache-2.0
"""SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): the project's random numbers.

Every component has a stream of its own. It starts at the seed mixed with the FNV-1a hash of the
component's name, so two components never share their numbers.
"""

MASK = (1 << 64) - 1


def mix(z: int) -> int:
    """The finaliser: spreads every bit of a 64-bit word over the whole word."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def fnv1a(name: str) -> int:
    """The 64-bit FNV-1a hash of a name."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


class SplitMix64:
    """One stream of random numbers."""

    def __init__(self, seed: int, component: str) -> None:
        self.state = mix((seed & MASK) ^ mix(fnv1a(component)))

    def next(self) -> int:
        """The next 64-bit word."""
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        return mix(self.state)

    def below(self, n: int) -> int:
        """A number in [0, n): the upper half of the 128-bit product."""
        return (self.next() * n) >> 64
