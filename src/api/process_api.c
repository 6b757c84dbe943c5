/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls on address spaces as functions: each is checked, made into an event and applied as
 * the events of a trace are. Files and segments have names here; the handle numbers them.
 */
#include <string.h>

#include "../../include/vmm/process.h"
#include "../mm/invalid.h"
#include "handle.h"

enum {
    /* Numbers of files begin behind those that the table of a trace has, which count from 1. */
    FILES_FIRST = 1 << 16,
    /* Numbers of madvise(2): 0 to 4, 8 to 25 (MADV_COLLAPSE), 100 to 103 (MADV_GUARD_REMOVE). */
    ADVICE_LAST_OF_POSIX = VMM_ADVICE_DONTNEED,
    ADVICE_LAST_OF_LINUX = 25,
    ADVICE_FIRST_OF_GUARDS = 100,
    ADVICE_LAST_OF_GUARDS = 103,
    PROT_ALL = VMM_PROT_READ | VMM_PROT_WRITE | VMM_PROT_EXEC
};

/* Bytes that a file may have on Linux. */
#define FILE_LIMIT (UINT64_C(1) << 63)

/* ---- Names ---------------------------------------------------------------------------------- */

void handle_free_files(VMM *vmm, const Memory *memory) {
    for (uint32_t i = 0; i < vmm->file_count; i++) {
        memory_free(memory, vmm->files[i].name, strlen(vmm->files[i].name) + 1, 1);
    }
    memory_free(memory, vmm->files, vmm->file_capacity, sizeof *vmm->files);
}

static NamedFile *named_find(VMM *vmm, const char *name, bool is_segment) {
    for (uint32_t i = 0; i < vmm->file_count; i++) {
        NamedFile *file = &vmm->files[i];
        if (file->is_segment == is_segment && strcmp(file->name, name) == 0) {
            return file;
        }
    }
    return NULL;
}

/* NULL: out of memory. */
static NamedFile *named_add(VMM *vmm, const char *name, bool is_segment) {
    const Memory *memory = &vmm->machine.memory;
    size_t length = strlen(name) + 1;
    if (vmm->file_count == vmm->file_capacity) {
        uint32_t wanted = vmm->file_capacity * 2 + 8;
        NamedFile *grown =
            memory_grow(memory, vmm->files, vmm->file_capacity, wanted, sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        vmm->files = grown;
        vmm->file_capacity = wanted;
    }
    char *copy = memory_zalloc(memory, length, 1);
    if (copy == NULL) {
        return NULL;
    }
    memcpy(copy, name, length);
    NamedFile *file = &vmm->files[vmm->file_count++];
    *file = (NamedFile){.name = copy, .is_segment = is_segment};
    return file;
}

void handle_name_file(const VMM *vmm, VMMInvalid *invalid) {
    uint32_t at = invalid->file - FILES_FIRST;
    if (invalid->file >= FILES_FIRST && at < vmm->file_count && invalid->path[0] == '\0') {
        invalid_set_path(invalid, vmm->files[at].name);
    }
}

static uint32_t named_number(const VMM *vmm, const NamedFile *file) {
    return FILES_FIRST + (uint32_t)(file - vmm->files);
}

/* The memory object of a file or segment; OBJECT_NONE: nobody has mapped it yet. */
static uint32_t named_object(const VMM *vmm, const NamedFile *file) {
    return objects_find_file(&vmm->stream->resolver.objects, named_number(vmm, file));
}

/* A segment goes when it was attached and is not any more. */
static bool segment_exists(const VMM *vmm, const NamedFile *segment) {
    if (segment == NULL || segment->size == 0) {
        return false;
    }
    uint32_t object = segment->was_attached ? named_object(vmm, segment) : OBJECT_NONE;
    return object == OBJECT_NONE || vmm->stream->resolver.objects.objects[object].mappings > 0;
}

/* ---- Checks --------------------------------------------------------------------------------- */

static int process_refuse(VMM *vmm, const char *what, uint64_t number) {
    if (vmm == NULL) {
        return VMM_E_USAGE; /* and nowhere to say why */
    }
    error_set(&vmm->error, VMM_E_USAGE, what, (unsigned long long)number);
    return handle_fail(vmm, VMM_E_USAGE);
}

/* A killed process does nothing more. */
static int process_check_alive(VMM *vmm, uint32_t pid) {
    return vmm->stream != NULL && resolver_is_killed(&vmm->stream->resolver, pid)
               ? process_refuse(vmm, "the process %llu was killed for an invalid reference", pid)
               : VMM_OK;
}

/* A process that there is; one that was killed can only end. */
static int process_check_pid(VMM *vmm, uint32_t pid, bool ends) {
    if (vmm->stream != NULL && resolver_is_killed(&vmm->stream->resolver, pid)) {
        return ends ? VMM_OK : process_check_alive(vmm, pid);
    }
    bool known = vmm->stream != NULL && resolver_has_process(&vmm->stream->resolver, pid);
    return known ? VMM_OK : process_refuse(vmm, "there is no process %llu", pid);
}

/* A name of a file or segment is a text, and not an empty one. */
static int process_check_name(VMM *vmm, const char *name, const char *what) {
    return name != NULL && name[0] != '\0' ? VMM_OK : process_refuse(vmm, what, 0);
}

static int process_check_range(VMM *vmm, uint64_t start, uint64_t length) {
    uint64_t page_size = vmm->machine.settings.page_size;
    uint64_t limit = UINT64_C(1) << vmm->machine.table_type->info.address_bits;
    if (start % page_size == 0 && length % page_size == 0 && length != 0 && start < limit &&
        length <= limit - start) {
        return VMM_OK;
    }
    error_set(&vmm->error, VMM_E_USAGE,
              "found a range of 0x%llx bytes at 0x%llx, expected whole pages of %llu bytes inside "
              "the address space",
              (unsigned long long)length, (unsigned long long)start, (unsigned long long)page_size);
    return handle_fail(vmm, VMM_E_USAGE);
}

static int process_check_prot(VMM *vmm, uint32_t prot) {
    return prot <= PROT_ALL
               ? VMM_OK
               : process_refuse(vmm, "found the protection 0x%llx, expected VMM_PROT_ bits", prot);
}

static int process_check_offset(VMM *vmm, uint64_t offset, uint64_t length) {
    return offset <= FILE_LIMIT && length <= FILE_LIMIT - offset
               ? VMM_OK
               : process_refuse(
                     vmm, "a mapping at the offset %llu ends beyond 2^63, as no file does", offset);
}

/* The mappings of a process, or NULL: it has none. */
static const Mappings *process_mappings(const VMM *vmm, uint32_t pid) {
    const Resolver *resolver = &vmm->stream->resolver;
    uint32_t space = directory_find_space(&vmm->stream->directory, pid);
    return resolver->on && space < resolver->space_count
               ? &resolver->spaces[resolver->spaces[space].within].maps
               : NULL;
}

/* Where an address outside of all mappings is nothing, only what is mapped can be changed; what
   moves has to be one mapping. */
static int process_check_mapped(VMM *vmm, const VMMEvent *event) {
    const Mappings *maps = process_mappings(vmm, event->pid);
    uint64_t end = event->start + event->length;
    if (!vmm->stream->resolver.strict ||
        (maps != NULL && mappings_cover(maps, event->start, end, event->type == VMM_EVENT_REMAP))) {
        return VMM_OK;
    }
    bool mapped = maps != NULL && mappings_cover(maps, event->start, end, false);
    error_set(&vmm->error, VMM_E_USAGE, "0x%llx-0x%llx of process %u is not %s",
              (unsigned long long)event->start, (unsigned long long)end, event->pid,
              mapped ? "one mapping, and only one can move" : "mapped, or not all of it");
    return handle_fail(vmm, VMM_E_USAGE);
}

/* Content can be given away, or begin anew, where it is private and no file's. */
static int process_check_private(VMM *vmm, const VMMEvent *event) {
    if (event->type != VMM_EVENT_ADVISE ||
        (event->value != VMM_ADVICE_FREE && event->value != VMM_ADVICE_WIPEONFORK)) {
        return VMM_OK;
    }
    const Mappings *maps = process_mappings(vmm, event->pid);
    uint64_t end = event->start + event->length;
    const Mapping *mapping = maps == NULL ? NULL : mappings_first(maps, event->start, end);
    for (; mapping != NULL; mapping = mappings_first(maps, mapping->end, end)) {
        if (mapping->object != OBJECT_NONE) {
            return process_refuse(
                vmm, "the mapping at 0x%llx is shared or a file, expected private anonymous memory",
                mapping->start);
        }
    }
    return VMM_OK;
}

/* An event of a process that there is. */
static int process_apply(VMM *vmm, VMMEvent event) {
    if (vmm == NULL) {
        return VMM_E_USAGE;
    }
    event.struct_size = sizeof event;
    int status = process_check_pid(vmm, event.pid, event.type == VMM_EVENT_EXIT);
    if (status == VMM_OK && (event.type == VMM_EVENT_PROTECT || event.type == VMM_EVENT_ADVISE ||
                             event.type == VMM_EVENT_REMAP)) {
        status = process_check_mapped(vmm, &event);
    }
    status = status == VMM_OK ? process_check_private(vmm, &event) : status;
    return status == VMM_OK ? vmm_apply(vmm, &event) : status;
}

/* ---- Processes ------------------------------------------------------------------------------ */

static int process_fork(VMM *vmm, uint32_t parent, uint32_t child, uint32_t flags) {
    return parent == child ? process_refuse(vmm, "the process %llu cannot be its own child", parent)
                           : process_apply(vmm, (VMMEvent){.type = VMM_EVENT_FORK,
                                                           .pid = parent,
                                                           .value = child,
                                                           .flags = flags});
}

int vmm_fork(VMM *vmm, uint32_t parent, uint32_t child) {
    return process_fork(vmm, parent, child, 0);
}

int vmm_vfork(VMM *vmm, uint32_t parent, uint32_t child) {
    return process_fork(vmm, parent, child, VMM_FORK_VFORK);
}

int vmm_exec(VMM *vmm, uint32_t pid) {
    return process_apply(vmm, (VMMEvent){.type = VMM_EVENT_EXEC, .pid = pid});
}

int vmm_exit(VMM *vmm, uint32_t pid) {
    return process_apply(vmm, (VMMEvent){.type = VMM_EVENT_EXIT, .pid = pid});
}

/* ---- Mappings ------------------------------------------------------------------------------- */

/* A range of a process, which is made if there is none. */
static int process_map(VMM *vmm, VMMEvent event) {
    event.struct_size = sizeof event;
    event.type = VMM_EVENT_MAP;
    int status = process_check_range(vmm, event.start, event.length);
    status = status == VMM_OK ? process_check_prot(vmm, event.prot) : status;
    status = status == VMM_OK ? process_check_alive(vmm, event.pid) : status;
    return status == VMM_OK ? vmm_apply(vmm, &event) : status;
}

static int process_check_map(VMM *vmm, const VMMEvent *event, const char *file) {
    uint32_t flags = event->flags & ~(uint32_t)VMM_MAP_LOCKED;
    if (vmm == NULL) {
        return VMM_E_USAGE;
    }
    if (flags != 0 && flags != VMM_MAP_SHARED && flags != VMM_MAP_GROWSDOWN) {
        return process_refuse(
            vmm, "found the flags 0x%llx, expected VMM_MAP_SHARED or _GROWSDOWN, and _LOCKED",
            event->flags);
    }
    if (event->offset % vmm->machine.settings.page_size != 0 ||
        (file == NULL && event->offset != 0)) {
        return process_refuse(vmm, "found the offset %llu, expected whole pages of a file",
                              event->offset);
    }
    int status = VMM_OK;
    if (file != NULL) {
        status =
            process_check_name(vmm, file, "the name of a file is empty; NULL is anonymous memory");
        status =
            status == VMM_OK ? process_check_offset(vmm, event->offset, event->length) : status;
    }
    return status;
}

int vmm_map(VMM *vmm, uint32_t pid, uint64_t address, uint64_t length, uint32_t prot,
            uint32_t flags, const char *file, uint64_t offset) {
    VMMEvent event = {.pid = pid,
                      .start = address,
                      .length = length,
                      .offset = offset,
                      .prot = prot,
                      .flags = flags};
    int status = process_check_map(vmm, &event, file);
    if (status != VMM_OK) {
        return status;
    }
    if (file == NULL) {
        event.flags |= VMM_MAP_ANONYMOUS;
    } else {
        const NamedFile *named = named_find(vmm, file, false);
        named = named != NULL ? named : named_add(vmm, file, false);
        if (named == NULL) {
            error_no_memory(&vmm->error, sizeof *named, "the name of a file");
            return handle_fail(vmm, VMM_E_NO_MEMORY);
        }
        event.file = named_number(vmm, named);
    }
    return process_map(vmm, event);
}

/* Events of a range that must not be empty. */
static int process_change(VMM *vmm, VMMEvent event) {
    int status = vmm == NULL ? VMM_E_USAGE : process_check_range(vmm, event.start, event.length);
    return status == VMM_OK ? process_apply(vmm, event) : status;
}

int vmm_unmap(VMM *vmm, uint32_t pid, uint64_t address, uint64_t length) {
    return process_change(
        vmm, (VMMEvent){.type = VMM_EVENT_UNMAP, .pid = pid, .start = address, .length = length});
}

int vmm_protect(VMM *vmm, uint32_t pid, uint64_t address, uint64_t length, uint32_t prot) {
    int status = process_check_prot(vmm, prot);
    return status != VMM_OK ? status
                            : process_change(vmm, (VMMEvent){.type = VMM_EVENT_PROTECT,
                                                             .pid = pid,
                                                             .start = address,
                                                             .length = length,
                                                             .prot = prot});
}

int vmm_remap(VMM *vmm, uint32_t pid, uint64_t address, uint64_t length, uint64_t target,
              uint64_t new_length) {
    int status = vmm == NULL ? VMM_E_USAGE : process_check_range(vmm, address, length);
    status = status == VMM_OK ? process_check_range(vmm, target, new_length) : status;
    if (status == VMM_OK && target != address && target < address + length &&
        address < target + new_length) {
        status = process_refuse(vmm, "a mapping cannot move to 0x%llx, which it overlaps", target);
    }
    return status != VMM_OK ? status
                            : process_change(vmm, (VMMEvent){.type = VMM_EVENT_REMAP,
                                                             .pid = pid,
                                                             .start = address,
                                                             .length = length,
                                                             .target = target,
                                                             .value = new_length});
}

/* Whether madvise(2) of Linux knows the number. */
static bool process_is_advice(uint32_t advice) {
    return advice <= ADVICE_LAST_OF_POSIX ||
           (advice >= VMM_ADVICE_FREE && advice <= ADVICE_LAST_OF_LINUX) ||
           (advice >= ADVICE_FIRST_OF_GUARDS && advice <= ADVICE_LAST_OF_GUARDS);
}

int vmm_advise(VMM *vmm, uint32_t pid, uint64_t address, uint64_t length, uint32_t advice) {
    if (!process_is_advice(advice)) {
        return process_refuse(vmm, "found the advice %llu, which madvise(2) of Linux does not have",
                              advice);
    }
    return process_change(vmm, (VMMEvent){.type = VMM_EVENT_ADVISE,
                                          .pid = pid,
                                          .start = address,
                                          .length = length,
                                          .value = advice});
}

int vmm_lock(VMM *vmm, uint32_t pid, uint64_t address, uint64_t length) {
    return process_change(
        vmm, (VMMEvent){.type = VMM_EVENT_LOCK, .pid = pid, .start = address, .length = length});
}

int vmm_unlock(VMM *vmm, uint32_t pid, uint64_t address, uint64_t length) {
    return process_change(
        vmm, (VMMEvent){.type = VMM_EVENT_UNLOCK, .pid = pid, .start = address, .length = length});
}

/* ---- Shared memory -------------------------------------------------------------------------- */

/* Also that there is a machine. */
static int segment_check_name(VMM *vmm, const char *name) {
    return vmm == NULL
               ? VMM_E_USAGE
               : process_check_name(vmm, name, "a segment of shared memory has to have a name");
}

int vmm_create_shared(VMM *vmm, const char *name, uint64_t size) {
    int status = segment_check_name(vmm, name);
    if (status != VMM_OK) {
        return status;
    }
    NamedFile *segment = named_find(vmm, name, true);
    if (segment_exists(vmm, segment)) {
        error_set(&vmm->error, VMM_E_USAGE, "there is a segment of shared memory \"%s\" already",
                  name);
        return handle_fail(vmm, VMM_E_USAGE);
    }
    status = process_check_range(vmm, 0, size);
    if (status != VMM_OK) {
        return status;
    }
    segment = segment != NULL ? segment : named_add(vmm, name, true);
    if (segment == NULL) {
        error_no_memory(&vmm->error, sizeof *segment, "a segment of shared memory");
        return handle_fail(vmm, VMM_E_NO_MEMORY);
    }
    segment->size = size;
    segment->was_attached = false;
    return VMM_OK;
}

int vmm_attach_shared(VMM *vmm, uint32_t pid, const char *name, uint64_t address, uint32_t prot) {
    int status = segment_check_name(vmm, name);
    if (status != VMM_OK) {
        return status;
    }
    NamedFile *segment = named_find(vmm, name, true);
    if (!segment_exists(vmm, segment)) {
        error_set(&vmm->error, VMM_E_USAGE, "there is no segment of shared memory \"%s\"", name);
        return handle_fail(vmm, VMM_E_USAGE);
    }
    status = process_map(vmm, (VMMEvent){.pid = pid,
                                         .start = address,
                                         .length = segment->size,
                                         .prot = prot,
                                         .flags = VMM_MAP_SHARED | VMM_MAP_SYSV,
                                         .file = named_number(vmm, segment)});
    segment->was_attached |= status == VMM_OK;
    return status;
}

/* The segment that the process has at exactly this address, or NULL. */
static const NamedFile *segment_at(VMM *vmm, uint32_t pid, uint64_t address) {
    const Resolver *resolver = &vmm->stream->resolver;
    uint32_t space = directory_find_space(&vmm->stream->directory, pid);
    if (space >= resolver->space_count) {
        return NULL;
    }
    const Mapping *mapping =
        mappings_of(&resolver->spaces[resolver_within(resolver, space)].maps, address);
    for (uint32_t i = 0; mapping != NULL && i < vmm->file_count; i++) {
        const NamedFile *file = &vmm->files[i];
        if (file->is_segment && file->was_attached && mapping->object != OBJECT_NONE &&
            mapping->object == named_object(vmm, file)) {
            bool begins = mapping->start == address && mapping->offset == 0;
            return begins ? file : NULL;
        }
    }
    return NULL;
}

int vmm_detach_shared(VMM *vmm, uint32_t pid, uint64_t address) {
    int status = vmm == NULL ? VMM_E_USAGE : process_check_pid(vmm, pid, false);
    if (status != VMM_OK) {
        return status;
    }
    const NamedFile *segment = segment_at(vmm, pid, address);
    return segment != NULL
               ? vmm_unmap(vmm, pid, address, segment->size)
               : process_refuse(vmm, "no segment of shared memory begins at 0x%llx", address);
}
