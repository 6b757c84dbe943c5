/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Object pages: what occupies frames. Each is a page of a memory object and has a dense number.
 *
 *     anonymous   private memory of a process and, after a fork, of its relatives; it goes with its
 *                 last owner
 *     zeros       the one page of zeros that anonymous memory shows before it is written
 *     shared      of a shared segment (System V, POSIX, shared anonymous): goes with the segment
 *     file        of a file: stays, as the page cache does
 *
 * Owners of a page are the translations that lead to it, and the object if it has a name there:
 * pages of segments and files are found again by (object, index). Each page is charged to the
 * address space that made it. Numbers of pages that went are given out again, to the same address
 * space, so that a number is charged to one space for ever.
 */
#ifndef VMM_MM_OBJECT_H
#define VMM_MM_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "../base/memory.h"

#define OBJECT_NO_PAGE 0u
#define OBJECT_NONE 0u

typedef enum ObjectKind {
    OBJECT_ANONYMOUS,
    OBJECT_ZEROS,
    OBJECT_SHARED,
    OBJECT_FILE,
    OBJECT_KINDS
} ObjectKind;

/* A memory object with a name: a file or a segment. */
typedef struct MemoryObject {
    ObjectKind kind;
    uint32_t mappings; /* that show it */
    uint32_t first;    /* of its pages, which are chained; of a free number, the next free one */
    uint32_t file;     /* its number in the trace's table of files, 0: none, it has no name there */
    uint64_t extent;   /* of a file, with read-ahead: pages that mappings have shown so far; it is
                          that long at least */
    uint64_t known, known_end; /* pages that all have numbers: those made last for read-ahead */
} MemoryObject;

typedef struct Objects {
    uint8_t *kind;     /* by page: an ObjectKind */
    uint32_t *owners;  /* by page; 0: the number is free, */
    uint32_t *charged; /* by page: the address space that it is charged to, */
    uint64_t *name;    /* by page: directory_name() of where it was first seen, or would be, */
    uint32_t *locks;   /* by page: translations in locked mappings that lead to it, */
    uint32_t *within;  /* by page of a memory object: that object, */
    uint64_t *index;   /* which of its pages it is, */
    uint32_t *next;    /* and the next page of the object; of a free number, the next free one */
    uint32_t rooms[8]; /* of these arrays, each: they are alike unless memory ran out */
    uint32_t count;    /* numbers given out, 0 included */
    uint32_t capacity;
    uint32_t *free; /* by space: the first free number that is charged to it, 0: none */
    uint32_t space_capacity;
    uint32_t *places; /* hash table of named pages, 0: empty */
    unsigned table_bits;
    uint32_t named;
    MemoryObject *objects; /* by number; 0 is none */
    uint32_t object_count;
    uint32_t object_capacity;
    uint32_t free_object; /* the first number of a segment that went; 0: none */
    uint32_t *files;      /* hash table of memory objects by the number of their file, 0: empty */
    unsigned files_bits;
    uint32_t file_count;
} Objects;

void objects_free(Objects *objects, const Memory *memory);

/* Makes the numbers below `count` anonymous pages with one owner each, of the first `spaces`
   address spaces; the caller says which is charged for which, and their names. False: out of
   memory. */
bool objects_begin(Objects *objects, const Memory *memory, uint32_t count, uint32_t spaces);

/* A new memory object that is no file of the trace, or OBJECT_NONE: out of memory. */
uint32_t objects_add(Objects *objects, const Memory *memory, ObjectKind kind);

/* The memory object of a file of the trace, which stays, made if need be; OBJECT_NONE: out of
   memory. Any number will do: nothing is as large as the largest of them. */
uint32_t objects_file(Objects *objects, const Memory *memory, uint32_t file, ObjectKind kind);

/* The memory object of a file if it was made, else OBJECT_NONE. */
uint32_t objects_find_file(const Objects *objects, uint32_t file);

/* A memory object without mappings and pages goes, unless it is a file of the trace: its number
   will be given to another. */
void objects_remove(Objects *objects, uint32_t object);

/* A new page of no object and without owners, charged to `space`; OBJECT_NO_PAGE: out of memory. */
uint32_t objects_new_page(Objects *objects, const Memory *memory, ObjectKind kind, uint32_t space,
                          uint64_t name);

/* The page of an object, made if need be; it is its own owner. OBJECT_NO_PAGE: out of memory. */
uint32_t objects_page(Objects *objects, const Memory *memory, uint32_t object, uint64_t index,
                      uint32_t space, uint64_t name);

/* The page of an object if it was made, else OBJECT_NO_PAGE. */
uint32_t objects_find(const Objects *objects, uint32_t object, uint64_t index);

/* Takes an owner away. True: it was the last one, and the number is free from now on. */
bool objects_release(Objects *objects, uint32_t page);

/* The first page of an object that has no mapping any more, to be released; its name is forgotten.
   OBJECT_NO_PAGE: it has none. */
uint32_t objects_take_page(Objects *objects, uint32_t object);

#endif
