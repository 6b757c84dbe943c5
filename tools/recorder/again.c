/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mremap(2) of 0 bytes: shared memory is mapped a second time, and stays where it is, too. Valgrind
 * refuses that with EINVAL; here it is made good before the program sees the result:
 *
 *     the kernel maps the pages wherever it likes            or refuses, as it would have
 *     Valgrind makes an anonymous mapping for the program    it knows that the place is taken
 *     the kernel moves the pages there, over that mapping
 *
 * Valgrind takes them for anonymous memory from then on. The trace does not: the event has 0 bytes
 * and tells whose pages they are.
 */
#include "libvex_guest_amd64.h"

#include "recorder.h"

/* Of Valgrind, for the inside of it: mappings of the program, which it notes; code is gone. */
extern SysRes vgPlain_am_mmap_anon_fixed_client(Addr start, SizeT length, UInt prot);
extern void vgPlain_discard_translations(Addr start, ULong length, const HChar *who);
extern SysRes vgPlain_am_mmap_anon_float_client(SizeT length, Int prot);

static UInt again_prot(const NSegment *segment) {
    return (segment->hasR ? VKI_PROT_READ : 0u) | (segment->hasW ? VKI_PROT_WRITE : 0u) |
           (segment->hasX ? VKI_PROT_EXEC : 0u);
}

/* A place that the program may have; `fixed` 0: any. */
static SysRes again_place(Addr fixed, SizeT length, UInt prot) {
    if (fixed == 0) {
        return vgPlain_am_mmap_anon_float_client(length, (Int)prot);
    }
    SysRes made = vgPlain_am_mmap_anon_fixed_client(fixed, length, prot);
    if (!sr_isError(made)) {
        vgPlain_discard_translations(fixed, length, "mremap");
    }
    return made;
}

/* The address, or an error below 0. */
static Long again_map(Addr from, SizeT length, Addr fixed) {
    const NSegment *segment = VG_(am_find_nsegment)(from);
    if (segment == NULL ||
        (segment->kind != SkFileC && segment->kind != SkAnonC && segment->kind != SkShmC)) {
        return -VKI_EFAULT;
    }
    UInt prot = again_prot(segment);
    Long anywhere = recorder_syscall(__NR_mremap, from, 0, length, VKI_MREMAP_MAYMOVE, 0);
    if (anywhere < 0) {
        return anywhere;
    }
    SysRes place = again_place(fixed, length, prot);
    if (sr_isError(place)) {
        recorder_syscall(__NR_munmap, (ULong)anywhere, length, 0, 0, 0);
        return -(Long)sr_Err(place);
    }
    Long at = recorder_syscall(__NR_mremap, (ULong)anywhere, length, length,
                               VKI_MREMAP_MAYMOVE | VKI_MREMAP_FIXED, sr_Res(place));
    tl_assert(at == (Long)sr_Res(place));
    return at;
}

Bool recorder_map_again(ThreadId tid, const UWord *args, UWord *result) {
    SizeT length = (args[2] + CHANNEL_PAGE - 1) / CHANNEL_PAGE * CHANNEL_PAGE;
    Addr fixed = (args[3] & VKI_MREMAP_FIXED) ? args[4] : 0;
    Bool refused = (args[3] & ~(UWord)VKI_MREMAP_FIXED) != VKI_MREMAP_MAYMOVE || length == 0 ||
                   args[0] % CHANNEL_PAGE != 0 || fixed % CHANNEL_PAGE != 0 ||
                   (fixed == 0 && (args[3] & VKI_MREMAP_FIXED)) ||
                   (fixed != 0 && fixed <= args[0] && args[0] - fixed < length);
    Long answer = refused ? -VKI_EINVAL : again_map(args[0], length, fixed);
    VG_(set_shadow_regs_area)
    (tid, 0, offsetof(VexGuestAMD64State, guest_RAX), sizeof answer, (const UChar *)&answer);
    if (answer < 0) {
        return False;
    }
    *result = (UWord)answer;
    return True;
}
