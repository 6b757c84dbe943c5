# SPDX-License-Identifier: Apache-2.0
"""Address spaces: which page of which memory object a reference leads to.

    pid, virtual page --(mappings, fork, copy-on-write)--> page of an object

Nothing here knows what is in memory: a reference leads where it leads whatever was evicted. The
definitions are those of mmap(2), munmap(2), mremap(2), mprotect(2), madvise(2), fork(2) and
vfork(2) on Linux, and of copy-on-write; docs/internals/processes.md has the choices.

Until the first event that changes an address space, every page is anonymous memory of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from config import Config
from traces import Reference

Translation = tuple[int, int]  # pid of the address space, virtual page number

READ, WRITE, EXEC = 1, 2, 4
TABLE_ENTRIES = 512  # of the lowest page table of x86-64: fault-around stays in one
NORMAL, RANDOM, SEQUENTIAL, WILLNEED, DONTNEED, FREE = 0, 1, 2, 3, 4, 8
DONTFORK, DOFORK, WIPEONFORK, KEEPONFORK = 10, 11, 18, 19
MOST_NEEDED = 2 ** 20  # pages that one WILLNEED reads at most
MOST_PAGES = 2 ** 40   # of a file
# Events that change address spaces: the first one makes pages those of objects.
CHANGING = "UXMPVAFEKL"


class ObjectPage(tuple):
    """A page of a memory object; as a tuple the translation that first led to it, its name.

    Two pages may have one name (one freed, or copied on a write), so they are told apart by a
    number, given in the order in which pages are made.
    """

    number: int
    kind: str                  # "anonymous", "zeros", "shared", "file"
    owners: int                # translations that lead here, and one more for a name or the zeros
    charged: int               # the process that made it
    locks: int                 # translations of locked mappings that lead here
    place: tuple["MemoryObject", int] | None = None  # in its object, if that has a name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectPage) and self.number == other.number

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return self.number


@dataclass
class MemoryObject:
    """A file or a segment: pages by their index in it."""

    kind: str
    pages: dict[int, ObjectPage]
    mappings: int = 0
    extent: int = 0  # pages that a mapping has shown so far: the file is that long at least


@dataclass(eq=False)
class Mapping:
    """A range of an address space, in bytes."""

    start: int
    end: int
    prot: int = READ | WRITE | EXEC
    backing: MemoryObject | None = None  # None: private anonymous memory
    offset: int = 0                      # of start, in the object
    shared: bool = False
    grows_down: bool = False
    copied: bool = False                 # private pages were made in it
    advice: int = NORMAL                 # or RANDOM, SEQUENTIAL
    not_forked: bool = False             # a child has nothing here,
    wiped: bool = False                  # or zeros
    sysv: bool = False                   # of a System V segment
    locked: bool = False                 # its pages stay in memory

    def continues(self, other: "Mapping") -> bool:
        """True if the two are one mapping in truth."""
        same = ("prot", "backing", "shared", "grows_down", "copied", "advice", "sysv",
                "not_forked", "wiped", "locked")
        return (self.end == other.start
                and all(getattr(self, name) is getattr(other, name)
                        or getattr(self, name) == getattr(other, name) for name in same)
                and (self.backing is None
                     or self.offset + self.end - self.start == other.offset))


@dataclass
class Entry:
    """What a translation leads to, and which references need no closer look."""

    page: ObjectPage
    readable: bool
    writable: bool
    shares: bool = False  # since a fork: a write copies, or takes the page over
    locked: bool = False  # it is in a locked mapping


class Found(NamedTuple):
    """What a reference does: "plain", "copy" of source, "reuse" or "forbidden"."""

    how: str
    page: ObjectPage | None = None
    source: ObjectPage | None = None


class Effect(NamedTuple):
    """What an event does to a machine.

    unmap: translation, which led to page, is gone. protect: it allows less. copy: the translation
    `to` gets the entry of `translation`. clean: the page's content may be lost. need: the page is
    to be read, "need first" as the first of a request. drop: the page is gone. end: the page table
    of process translation[0] is. lock, unlock: the page stays in memory from now on, or need not
    any more.
    """

    what: str
    translation: Translation | None = None
    page: ObjectPage | None = None
    to: Translation | None = None


def parameters(event: Reference) -> dict[str, int]:
    """Of an event such as "M:shared,file=3,prot=1": words count as 1."""
    found: dict[str, int] = {}
    for part in event.op[2:].split(",") if len(event.op) > 1 else []:
        name, _, value = part.partition("=")
        found[name] = int(value) if value else 1
    return found


class AddressSpaces:
    """All address spaces of one run."""

    def __init__(self, config: Config, by_hand: bool = False) -> None:
        self.config = config
        self.by_hand = by_hand  # without a table of files: they are all on a device
        self.on = False
        self.made = 0
        self.entries: dict[Translation, Entry] = {}
        self.maps: dict[int, list[Mapping]] = {}
        self.runs_in: dict[int, int] = {}  # after a vfork: whose space a process runs in
        self.files: dict[int, MemoryObject] = {}
        self.zeros: ObjectPage | None = None
        self.effects: list[Effect] = []
        self.in_event = False
        self.locked: ObjectPage | None = None    # by the reference under way: a page that is locked
        self.unlocked: ObjectPage | None = None  # before it, and one that is not any more behind it
        self.populated: list[tuple[int, bool]] = []  # by an event: addresses, and whether by a write

    # ---- References ------------------------------------------------------------------------

    def space_of(self, pid: int) -> int:
        """The process whose address space this one runs in."""
        return self.runs_in.get(pid, pid)

    def refer(self, translation: Translation, is_write: bool) -> Found:
        """Where a reference leads."""
        self.locked = self.unlocked = None
        entry = self.entries.get(translation)
        if not self.on:
            if entry is None:
                entry = self.lead(translation, self.make("anonymous", translation), True, True)
            return Found("plain", entry.page)
        if entry and (entry.writable if is_write else entry.readable):
            return Found("plain", entry.page)
        return self.refer_closely(translation, is_write)

    def refer_closely(self, translation: Translation, is_write: bool) -> Found:
        """The first reference, a write that may copy, or one that is not allowed."""
        mapping = self.find_mapping(translation)
        if mapping is None and self.config.mappings_complete:
            return Found("forbidden")
        mapping = mapping or Mapping(0, 0)
        readable, writable = self.rights(mapping)
        if not (writable if is_write else readable):
            return Found("forbidden")
        self.know_ahead(mapping, translation)
        entry = self.entries.get(translation)
        if entry is None:
            return self.first(mapping, translation, is_write)
        if is_write:
            return self.write(mapping, translation, entry)
        entry.readable = True
        if mapping.locked:
            self.set_lock(entry, True)
        self.know_around(translation)
        return Found("plain", entry.page)

    def rights(self, mapping: Mapping) -> tuple[bool, bool]:
        """Whether it may be read and written. Every page that can be used at all can be read."""
        if not self.config.mappings_complete:
            return True, True
        return mapping.prot != 0, bool(mapping.prot & WRITE)

    def first(self, mapping: Mapping, translation: Translation, is_write: bool) -> Found:
        """The first reference through a translation."""
        readable, writable = self.rights(mapping)
        if mapping.backing is None:
            if not is_write and self.config.zero_page:
                if self.zeros is None:
                    self.zeros = self.make("zeros", translation)
                    self.zeros.owners = 1
                self.lead(translation, self.zeros, readable, False, mapping.locked)
                return Found("plain", self.zeros)
            mapping.copied = True
            page = self.make("anonymous", translation)
            self.lead(translation, page, readable, writable, mapping.locked)
            return Found("plain", page)
        page = self.page_of_object(mapping, translation)
        if not mapping.shared and is_write:
            return self.copy(mapping, translation, page)
        self.lead(translation, page, readable, writable and mapping.shared, mapping.locked)
        self.know_around(translation)
        return Found("plain", page)

    def write(self, mapping: Mapping, translation: Translation, entry: Entry) -> Found:
        """A write through a translation that leads somewhere, and does not allow it as it is."""
        page = entry.page
        is_own = page.kind == "anonymous" and page.owners == 1
        if not is_own and not (mapping.shared and mapping.backing):
            return self.copy(mapping, translation, page)
        how = "reuse" if entry.shares else "plain"
        entry.readable, entry.writable = self.rights(mapping)
        entry.shares = False
        self.set_lock(entry, mapping.locked)
        return Found(how, page)

    def copy(self, mapping: Mapping, translation: Translation, source: ObjectPage) -> Found:
        """A private copy for the writer."""
        if translation in self.entries:
            if self.entries.pop(translation).locked:
                self.unlock(source)
            source.owners -= 1
        page = self.make("anonymous", translation)
        self.lead(translation, page, *self.rights(mapping), mapping.locked)
        mapping.copied = True
        return Found("copy", page, source)

    def find_mapping(self, translation: Translation) -> Mapping | None:
        """The mapping that a page lies in; a stack grows down to it."""
        pid, vpn = translation
        start = vpn * self.config.page_size
        above = [mapping for mapping in self.maps.get(pid, []) if mapping.end > start]
        if not above:
            return None
        mapping = min(above, key=lambda one: one.start)
        if mapping.start < start + self.config.page_size:
            return mapping
        if mapping.grows_down and mapping.end - start <= self.config.stack_limit:
            mapping.start = start
            return mapping
        return None

    # ---- Pages -----------------------------------------------------------------------------

    def make(self, kind: str, translation: Translation) -> ObjectPage:
        """A new page."""
        page = ObjectPage(translation)
        page.locks = 0
        page.kind, page.owners, page.charged = kind, 0, translation[0]
        self.made += 1
        page.number = self.made
        return page

    def lock(self, page: ObjectPage) -> None:
        """A translation of a locked mapping more leads to a page."""
        page.locks += 1
        if page.locks == 1 and self.in_event:
            self.effects.append(Effect("lock", page=page))
        elif page.locks == 1:
            self.locked = page

    def unlock(self, page: ObjectPage) -> None:
        """One fewer."""
        page.locks -= 1
        if page.locks == 0 and self.in_event:
            self.effects.append(Effect("unlock", page=page))
        elif page.locks == 0:
            self.unlocked = page

    def set_lock(self, entry: Entry, locked: bool) -> None:
        """The mapping of a translation is locked, or is not."""
        if locked and not entry.locked:
            self.lock(entry.page)
        elif entry.locked and not locked:
            self.unlock(entry.page)
        entry.locked = locked

    def lead(self, translation: Translation, page: ObjectPage, readable: bool,
             writable: bool, locked: bool = False) -> Entry:
        """Lets a translation lead to a page."""
        page.owners += 1
        self.entries[translation] = Entry(page, readable, writable)
        self.set_lock(self.entries[translation], locked)
        return self.entries[translation]

    def page_of_object(self, mapping: Mapping, translation: Translation) -> ObjectPage:
        """The page of a file or segment that a mapping shows at a translation."""
        return self.page_at(mapping, self.index_of(mapping, translation), translation[0])

    def index_of(self, mapping: Mapping, translation: Translation) -> int:
        """Which page of its object a mapping shows at a translation."""
        start = translation[1] * self.config.page_size
        return (start - mapping.start + mapping.offset) // self.config.page_size

    def page_at(self, mapping: Mapping, index: int, pid: int) -> ObjectPage:
        """A page of a mapped object, made if need be; its name is where the mapping would show it.
        """
        assert mapping.backing is not None
        if index not in mapping.backing.pages:
            vpn_of_first = -((mapping.offset - mapping.start) // self.config.page_size)
            page = self.make(mapping.backing.kind, (pid, (vpn_of_first + index) % 2 ** 64))
            page.owners = 1
            page.place = (mapping.backing, index)
            mapping.backing.pages[index] = page
        return mapping.backing.pages[index]

    def know_ahead(self, mapping: Mapping, translation: Translation) -> None:
        """The pages that a fault here may bring in ahead exist, so that they can be read."""
        ahead = self.config.read_ahead // self.config.page_size
        if mapping.backing is None or mapping.backing.kind != "file" or not ahead:
            return
        index = self.index_of(mapping, translation)
        if 0 <= index < mapping.backing.extent:
            for other in range(max(0, index - ahead // 2),
                               min(index + 2 * ahead, mapping.backing.extent)):
                self.page_at(mapping, other, translation[0])

    def extend(self, space: int, mapping: Mapping) -> None:
        """A new mapping tells that a file is longer than was known."""
        ahead = self.config.read_ahead // self.config.page_size
        backing = mapping.backing
        end = mapping.offset + mapping.end - mapping.start
        if backing is None or backing.kind != "file" or not ahead or end > 2 ** 64 - 1:
            return
        before = backing.extent
        backing.extent = max(before, min(-(-end // self.config.page_size), MOST_PAGES))
        if before and backing.pages:  # pages near the old end may be read to behind it from now on
            for index in range(before, min(before + 2 * ahead, backing.extent)):
                self.page_at(mapping, index, space)

    def release(self, page: ObjectPage) -> None:
        """One owner fewer; with the last one the page goes."""
        page.owners -= 1
        if page.owners == 0:
            self.effects.append(Effect("drop", page=page))

    def give_up(self, translation: Translation) -> None:
        """A translation leads nowhere any more."""
        entry = self.entries.pop(translation)
        page = entry.page
        self.effects.append(Effect("unmap", translation, page))
        if entry.locked and page.owners == 1:
            page.locks -= 1  # it goes with the page
        elif entry.locked:
            self.unlock(page)
        self.release(page)

    def window(self, translation: Translation) -> tuple[Mapping | None, range]:
        """What fault-around maps with a page of a file or of shared memory: as Linux does."""
        pid, vpn = translation
        size, pages = self.config.page_size, self.config.fault_around // self.config.page_size
        inside = [mapping for mapping in self.maps.get(pid, [])
                  if mapping.start <= vpn * size < mapping.end]
        if pages < 2 or not inside or not inside[0].backing or inside[0].sysv:
            return None, range(0)
        mapping = inside[0]
        shift = self.config.fault_around_shift  # as if addresses were so many pages higher
        first = max((vpn + shift) // pages * pages - shift, -(-mapping.start // size))
        end = min(first + pages, mapping.end // size,
                  ((vpn + shift) // TABLE_ENTRIES + 1) * TABLE_ENTRIES - shift)
        return mapping, range(first, end)

    def know_around(self, translation: Translation) -> None:
        """The others of a window lead to the file's pages too, if they led nowhere."""
        mapping, window = self.window(translation)
        for vpn in window:
            other = (translation[0], vpn)
            if other not in self.entries:
                self.lead(other, self.page_of_object(mapping, other), False, False)

    # ---- Events ----------------------------------------------------------------------------

    def apply(self, event: Reference) -> list[Effect]:
        """Applies an event; what it does to machines."""
        self.effects = []
        self.populated = []
        if event.op[0] not in CHANGING:
            return []
        self.on = self.in_event = True
        self.change(event)
        self.in_event = False
        return self.effects

    def change(self, event: Reference) -> None:
        """Applies an event that changes address spaces."""
        kind, pid = event.op[0], event.pid
        told = parameters(event)
        start, end = event.addr, min(event.addr + event.size, 2**64)
        space = self.space_of(pid)
        if kind == "U":
            self.unmap(space, start, end)
        elif kind == "M":
            self.map(space, start, end, told)
        elif kind == "P":
            self.protect(space, start, end, told.get("prot", 0))
        elif kind == "V":
            self.remap(space, start, end, told.get("target", start + 2**40),
                       told.get("bytes", event.size))
        elif kind in "KL":
            self.lock_range(space, start, end, kind == "K")
        elif kind == "A":
            self.advise(space, start, end, told.get("advice", DONTNEED))
        elif kind == "F":
            if told["child"] != pid:
                self.leave(told["child"])
                self.fork(self.space_of(pid), told["child"], "vfork" in told)
        else:
            self.leave(pid)
        if kind in "UMPVA":
            self.ask_around(space, start, end)
        if kind == "V":
            target = told.get("target", start + 2**40)
            self.ask_around(space, target, target + told.get("bytes", event.size))

    def ask_around(self, space: int, start: int, end: int) -> None:
        """Windows there may be other ones now: the next read of a page makes them known again."""
        size, pages = self.config.page_size, self.config.fault_around // self.config.page_size
        for (pid, vpn), entry in self.entries.items():
            if (pages >= 2 and pid == space and entry.page.kind in ("file", "shared")
                    and start // size - pages <= vpn < end // size + pages):
                entry.readable = False

    def pages_in(self, space: int, start: int, end: int) -> list[Translation]:
        """The translations of a space that lie in a range wholly and lead somewhere."""
        size = self.config.page_size
        return [translation for translation in self.entries
                if translation[0] == space and start <= translation[1] * size
                and (translation[1] + 1) * size <= end]

    def use(self, backing: MemoryObject | None, change: int) -> None:
        """A mapping of an object more or less; a segment goes with its last one."""
        if backing is None:
            return
        backing.mappings += change
        if backing.mappings == 0 and backing.kind != "file":
            pages = list(backing.pages.values())
            backing.pages.clear()
            for page in pages:
                self.release(page)

    def cut(self, space: int, start: int, end: int) -> None:
        """Forgets the mappings of a range."""
        kept: list[Mapping] = []
        gone: list[MemoryObject | None] = []
        for mapping in self.maps.get(space, []):
            pieces = [piece for piece in (self.piece(mapping, mapping.start, start),
                                          self.piece(mapping, end, mapping.end)) if piece]
            if mapping.end <= start or end <= mapping.start or start >= end:
                pieces = [mapping]
            kept += pieces
            if pieces:
                self.use(mapping.backing, len(pieces) - 1)
            else:
                gone.append(mapping.backing)
        self.maps[space] = kept
        for backing in gone:
            self.use(backing, -1)

    @staticmethod
    def piece(mapping: Mapping, start: int, end: int) -> Mapping | None:
        """The part of a mapping between two addresses."""
        start, end = max(start, mapping.start), min(end, mapping.end)
        if start >= end:
            return None
        return replace(mapping, start=start, end=end,
                       offset=mapping.offset + start - mapping.start)

    def join(self, space: int, borders: list[int]) -> None:
        """Makes mappings one that continue each other at these addresses."""
        maps = self.maps[space]
        maps.sort(key=lambda mapping: mapping.start)
        for border in borders:
            for place in range(1, len(maps)):
                one, other = maps[place - 1], maps[place]
                if other.start == border and one.continues(other):
                    one.end = other.end
                    self.use(other.backing, -1)
                    del maps[place]
                    break

    def add(self, space: int, mapping: Mapping) -> None:
        """A mapping in place of what is there."""
        self.use(mapping.backing, 1)
        self.extend(space, mapping)
        self.cut(space, mapping.start, mapping.end)
        self.maps[space].append(mapping)
        self.join(space, [mapping.end, mapping.start])

    def unmap(self, space: int, start: int, end: int) -> None:
        """munmap(2)."""
        for translation in self.pages_in(space, start, end):
            self.give_up(translation)
        self.cut(space, start, end)

    def map(self, space: int, start: int, end: int, told: dict[str, int]) -> None:
        """mmap(2), in place of what is there."""
        if start >= end:
            return
        backing = None
        if "file" in told:
            number = told["file"]
            is_segment = "sysv" in told if self.by_hand else number >= 100
            backing = self.files.setdefault(
                number, MemoryObject("shared" if is_segment else "file", {}))
        elif "shared" in told:
            backing = MemoryObject("shared", {})
        self.use(backing, 1)  # mmap() holds it, whatever mapping of it this one replaces
        self.unmap(space, start, end)
        is_locked = "locked" in told
        self.add(space, Mapping(start, end, told.get("prot", 0), backing, told.get("offset", 0),
                                "shared" in told, "down" in told and backing is None,
                                sysv="sysv" in told and backing is not None, locked=is_locked))
        self.use(backing, -1)
        if is_locked or "populate" in told:
            self.populate(space, start, end)

    def protect(self, space: int, start: int, end: int, prot: int) -> None:
        """mprotect(2)."""
        self.alter(space, start, end, "prot", prot)
        for translation in self.pages_in(space, start, end):
            self.narrow(translation)

    def alter(self, space: int, start: int, end: int, name: str, value: int | bool) -> None:
        """Gives what is mapped of a range a property of its own."""
        changed: list[Mapping] = []
        kept: list[Mapping] = []
        for mapping in self.maps.get(space, []):
            parts = [(self.piece(mapping, mapping.start, start), False),
                     (self.piece(mapping, start, end), True),
                     (self.piece(mapping, end, mapping.end), False)]
            found = [(part, is_inside) for part, is_inside in parts if part]
            if not any(is_inside for _, is_inside in found) or start >= end:
                kept.append(mapping)
                continue
            self.use(mapping.backing, len(found) - 1)
            for part, is_inside in found:
                if is_inside and not (name == "wiped" and part.backing):
                    setattr(part, name, value)
                changed += [part] if is_inside else []
                kept.append(part)
        if changed:
            self.maps[space] = kept
            kept.sort(key=lambda one: one.start)
            places = [kept.index(part) for part in changed]
            borders = [mapping.start for mapping in kept[min(places):max(places) + 2]]
            self.join(space, borders[::-1])

    def lock_range(self, space: int, start: int, end: int, locked: bool) -> None:
        """mlock(2) and munlock(2)."""
        self.alter(space, start, end, "locked", locked)
        for translation in self.pages_in(space, start, end):
            mapping = self.find_mapping(translation)
            self.set_lock(self.entries[translation], bool(mapping and mapping.locked))
        if locked:
            self.populate(space, start, end)

    def populate(self, space: int, start: int, end: int) -> None:
        """What is mapped there comes into memory, by a write where that makes private pages."""
        size = self.config.page_size
        for mapping in sorted(self.maps.get(space, []), key=lambda one: one.start):
            first = -(-max(mapping.start, start) // size)
            last = min(mapping.end, end, self.config.address_limit_of_tables) // size
            if mapping.prot:
                self.populated += [(vpn * size, bool(mapping.prot & WRITE) and not mapping.shared)
                                   for vpn in range(first, last)]

    def narrow(self, translation: Translation) -> None:
        """The rights that a new protection takes away go at once."""
        mapping = self.find_mapping(translation)
        readable, writable = self.rights(mapping) if mapping else (True, True)
        entry = self.entries[translation]
        if (entry.readable and not readable) or (entry.writable and not writable):
            self.effects.append(Effect("protect", translation, entry.page))
        entry.readable, entry.writable = entry.readable and readable, entry.writable and writable

    def twin(self, translation: Translation, other: Translation) -> None:
        """A new translation to the page of another one."""
        entry = self.entries[translation]
        entry.page.owners += 1
        self.entries[other] = replace(entry, locked=False)
        self.set_lock(self.entries[other], entry.locked and translation[0] == other[0])
        self.effects.append(Effect("copy", translation, entry.page, other))

    def remap(self, space: int, start: int, end: int, target: int, size: int) -> None:
        """mremap(2): cuts off, grows in place, or moves; of 0 bytes, maps a second time."""
        if start == end:
            self.map_again(space, start, target, size)
            return
        if target != start and target < end and start < target + size:
            return  # onto itself: the system call refuses that,
        if target + size > 2**64:
            return  # and the end of all addresses
        kept = min(size, end - start)
        found = [mapping for mapping in self.maps.get(space, [])
                 if mapping.end > start and mapping.start < end]
        moved = None
        if found and size > 0:
            source = min(found, key=lambda one: one.start)
            offset = source.offset + max(0, start - source.start)
            if source.backing and offset + size > 2**64:
                return  # and that of all files
            moved = replace(source, start=target, end=target + size, offset=offset,
                            copied=any(one.copied for one in found))
            self.use(moved.backing, 1)
        self.unmap(space, start + kept, end)
        if target != start:
            self.unmap(space, target, target + size)
            by = target // self.config.page_size - start // self.config.page_size
            for translation in self.pages_in(space, start, start + kept):
                other = (space, translation[1] + by)
                if 0 <= other[1] < self.config.address_limit_of_tables // self.config.page_size:
                    self.twin(translation, other)
                self.give_up(translation)
            self.cut(space, start, start + kept)
        if moved:
            self.add(space, moved)
            self.use(moved.backing, -1)
            if moved.locked:
                self.populate(space, target + kept, target + size)

    def map_again(self, space: int, start: int, target: int, size: int) -> None:
        """mremap(2) of 0 bytes: the same place of a shared object, at another address."""
        for source in self.maps.get(space, []):
            offset = source.offset + start - source.start
            if (source.start <= start < source.end and source.shared and size > 0
                    and not target <= start < target + size
                    and target + size < 2**64 and offset + size < 2**64):
                self.unmap(space, target, target + size)
                self.add(space, replace(source, start=target, end=target + size, offset=offset))
                return

    def advise(self, space: int, start: int, end: int, advice: int) -> None:
        """madvise(2)."""
        if advice in (NORMAL, RANDOM, SEQUENTIAL):
            self.alter(space, start, end, "advice", advice)
        elif advice in (DONTFORK, DOFORK):
            self.alter(space, start, end, "not_forked", advice == DONTFORK)
        elif advice in (WIPEONFORK, KEEPONFORK):  # of private anonymous memory only
            self.alter(space, start, end, "wiped", advice == WIPEONFORK)
        elif advice == WILLNEED and self.config.read_ahead >= self.config.page_size:
            self.need(space, start, min(end, start + MOST_NEEDED * self.config.page_size))
        for translation in sorted(self.pages_in(space, start, end)):
            page = self.entries[translation].page
            if advice == DONTNEED and not self.entries[translation].locked:
                self.give_up(translation)
            elif advice == FREE and page.kind == "anonymous" and page.owners == 1:
                self.effects.append(Effect("clean", page=page))

    def need(self, space: int, start: int, end: int) -> None:
        """MADV_WILLNEED: what the mappings show of a range is read, in the order of addresses."""
        for mapping in sorted(self.maps.get(space, []), key=lambda one: one.start):
            low, high = max(start, mapping.start), min(end, mapping.end)
            if mapping.backing is None or low >= high:
                continue
            first, last = [(addr - mapping.start + mapping.offset) // self.config.page_size
                           for addr in (low, high - 1)]
            if last >= MOST_PAGES:
                continue
            what = "need first"
            for index in range(first, last + 1):
                if mapping.backing.kind == "file":
                    self.page_at(mapping, index, space)
                if index in mapping.backing.pages:
                    self.effects.append(Effect(what, page=mapping.backing.pages[index]))
                    what = "need"
        for translation in sorted(self.pages_in(space, start, end)):
            mapping = self.find_mapping(translation)
            if mapping is None or mapping.backing is None:
                self.effects.append(Effect("need", page=self.entries[translation].page))

    def fork(self, space: int, child: int, is_vfork: bool) -> None:
        """fork(2): the child gets the same pages; private ones are copied by the first write."""
        if is_vfork:
            self.runs_in[child] = space
            return
        child = self.space_of(child)
        self.maps[child] = [replace(mapping, copied=mapping.copied and not mapping.wiped, locked=False)
                            for mapping in self.maps.get(space, []) if not mapping.not_forked]
        for mapping in self.maps[child]:
            self.use(mapping.backing, 1)
        for translation in [one for one in self.entries if one[0] == space]:
            mapping = self.find_mapping(translation)
            if mapping and (mapping.not_forked or mapping.wiped):
                continue  # the child has nothing there, or it begins anew
            if mapping and mapping.backing and (mapping.shared or not mapping.copied):
                continue  # the child finds the pages again by itself, as on Linux
            entry = self.entries[translation]
            if entry.page.kind == "anonymous":
                if entry.writable:
                    self.effects.append(Effect("protect", translation, entry.page))
                entry.writable, entry.shares = False, True
            self.twin(translation, (child, translation[1]))

    def kill(self, pid: int) -> list[Effect]:
        """A process is killed; what that does to machines."""
        self.effects = []
        self.populated = []
        self.on = self.in_event = True
        self.leave(pid)
        self.in_event = False
        return self.effects

    def send_home(self, pid: int) -> None:
        """Who runs in a process's own space, alone and with nothing in it, goes home if it can."""
        guests = [one for one, space in self.runs_in.items() if space == pid]
        is_empty = not self.maps.get(pid) and all(one[0] != pid for one in self.entries)
        if len(guests) == 1 and is_empty and guests[0] not in self.runs_in.values():
            self.effects.append(Effect("end", (pid, 0)))
            del self.runs_in[guests[0]]

    def leave(self, pid: int) -> None:
        """A process ends or executes another program: its space goes if nobody else runs in it."""
        space = self.space_of(pid)
        others = {one for one in (*self.runs_in, space) if one != pid}
        if all(self.space_of(other) != space for other in others):
            for translation in [one for one in self.entries if one[0] == space]:
                self.give_up(translation)
            gone = self.maps.pop(space, [])
            for mapping in gone:
                self.use(mapping.backing, -1)
            self.effects.append(Effect("end", (space, 0)))
        # It gets its own, or if others run in that, the first one of theirs that is not in use.
        self.runs_in.pop(pid, None)
        self.send_home(pid)
        used = set(self.runs_in.values())
        if pid in used:
            self.runs_in[pid] = min(one for one in self.runs_in if one not in used)
