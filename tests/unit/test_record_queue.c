/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools/vmm/record_queue.c and tools/recorder/channel.h: order, segments that come back, and what
 * producers leave that died at the worst moment.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../tools/vmm/record_queue.c"

void cli_error(const char *format, ...) {
    fail_msg("%s", format);
}

static uint64_t scratch[CHANNEL_SCRATCH];

static ChannelProducer producer_of(RecordQueue *queue, uint32_t pid) {
    int slot = channel_slot_take(queue->channel, CHANNEL_OWNER_RUNS, pid, pid);
    assert_true(slot >= 0);
    return (ChannelProducer){.channel = queue->channel,
                             .slot = &queue->channel->slots[slot],
                             .slot_number = slot,
                             .pid = pid,
                             .tid = pid,
                             .scratch = scratch};
}

/* A pid that was a process's, and is nobody's now. */
static uint32_t dead_pid(void) {
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    return (uint32_t)pid;
}

static void put(ChannelProducer *producer, uint64_t addr) {
    if (producer->slot->cursor > producer->slot->limit) {
        channel_flush(producer);
    }
    *channel_record_at(producer->slot->cursor) = CHANNEL_REF(CHANNEL_READ, addr, 1);
    producer->slot->cursor += 8;
}

static void expect(RecordQueue *queue, uint32_t pid, uint64_t first, size_t count) {
    RecordPart part;
    unsigned segment;
    bool found = false;
    for (int i = 0; i < 50 && !found; i++) { /* a wait may end early, without anything */
        found = record_queue_next(queue, &part, &segment);
    }
    assert_true(found);
    assert_int_equal(part.pid, pid);
    assert_int_equal(part.count, count);
    assert_int_equal(part.records[0] & ~(UINT64_C(3) << CHANNEL_OP_SHIFT), first);
    record_queue_return(queue, segment);
}

static size_t free_segments(const RecordQueue *queue) {
    size_t count = 0;
    for (uint32_t at = (uint32_t)queue->channel->free_head; at != 0;
         at = queue->channel->segments[at - 1].next) {
        count++;
    }
    return count;
}

static void parts_come_in_order(void **state) {
    (void)state;
    RecordQueue queue;
    uint32_t own = (uint32_t)getpid();
    assert_int_equal(record_queue_open(&queue, CHANNEL_FETCHES_PAGE, false), CLI_OK);
    ChannelProducer a = producer_of(&queue, own), b = producer_of(&queue, own);
    for (uint64_t i = 0; i < 1000; i++) {
        put(&a, 2 * i);
        channel_publish(&a);
        put(&b, 2 * i + 1);
        channel_publish(&b);
        expect(&queue, own, 2 * i, 1);
        expect(&queue, own, 2 * i + 1, 1);
    }
    channel_publish(&a);
    assert_int_equal(free_segments(&queue), CHANNEL_SEGMENTS);
    record_queue_close(&queue);
}

static void full_segments_are_handed_over(void **state) {
    (void)state;
    enum { MOST = CHANNEL_SEGMENT_RECORDS - CHANNEL_SLACK + 1 };
    RecordQueue queue;
    uint32_t own = (uint32_t)getpid();
    assert_int_equal(record_queue_open(&queue, CHANNEL_FETCHES_PAGE, false), CLI_OK);
    ChannelProducer producer = producer_of(&queue, own);
    for (uint64_t i = 0; i < MOST + 10; i++) {
        put(&producer, i);
    }
    expect(&queue, own, 0, MOST);
    channel_publish(&producer);
    expect(&queue, own, MOST, 10);
    record_queue_close(&queue);
}

static void a_pause_keeps_events(void **state) {
    (void)state;
    RecordQueue queue;
    RecordPart part;
    unsigned segment;
    uint32_t own = (uint32_t)getpid();
    assert_int_equal(record_queue_open(&queue, CHANNEL_FETCHES_PAGE, true), CLI_OK);
    ChannelProducer producer = producer_of(&queue, own);
    ChannelEvent event = {.type = 1, .start = 4096};
    put(&producer, 1);
    channel_put_event(&producer, CHANNEL_EVENT, &event, "/a/path");
    put(&producer, 2);
    channel_publish(&producer);
    assert_true(record_queue_next(&queue, &part, &segment));
    assert_int_equal(part.count, 1 + CHANNEL_EVENT_WORDS + 1);
    assert_int_equal(part.controls, 1);
    assert_memory_equal(part.records + 1 + CHANNEL_EVENT_WORDS, "/a/path", 8);
    record_queue_return(&queue, segment);
    assert_false(record_queue_next(&queue, &part, &segment));
    record_queue_close(&queue);
}

/* What was filled and not queued; the slot is free afterwards. */
static void the_dead_leave_a_segment(void **state) {
    (void)state;
    RecordQueue queue;
    RecordPart part;
    unsigned segment;
    int left;
    uint32_t dead = dead_pid();
    assert_int_equal(record_queue_open(&queue, CHANNEL_FETCHES_PAGE, false), CLI_OK);
    ChannelProducer producer = producer_of(&queue, dead);
    put(&producer, 7);
    channel_publish(&producer);
    put(&producer, 8);
    put(&producer, 9);
    assert_false(record_queue_next_dead(&queue, &part, &left)); /* first what is queued */
    expect(&queue, dead, 7, 1);
    assert_false(record_queue_next(&queue, &part, &segment));
    assert_true(record_queue_next_dead(&queue, &part, &left));
    assert_true(left >= 0);
    assert_int_equal(part.count, 2);
    assert_int_equal(part.records[0], 8);
    record_queue_return(&queue, (unsigned)left);
    assert_true(record_queue_next_dead(&queue, &part, &left));
    assert_int_equal(left, -1);
    assert_int_equal(part.pid, dead);
    assert_false(record_queue_next_dead(&queue, &part, &left));
    assert_int_equal(free_segments(&queue), CHANNEL_SEGMENTS);
    record_queue_close(&queue);
}

/* A ticket was drawn by one that died before it filled the place. */
static void a_hole_is_passed(void **state) {
    (void)state;
    RecordQueue queue;
    RecordPart part;
    unsigned segment;
    int left;
    uint32_t dead = dead_pid(), own = (uint32_t)getpid();
    assert_int_equal(record_queue_open(&queue, CHANNEL_FETCHES_PAGE, false), CLI_OK);
    ChannelProducer lost = producer_of(&queue, dead), alive = producer_of(&queue, own);
    put(&lost, 5);
    lost.slot->publishing = 1;
    queue.channel->queue_tail++;
    put(&alive, 6);
    channel_publish(&alive);
    assert_false(record_queue_next(&queue, &part, &segment)); /* the hole, passed over */
    expect(&queue, own, 6, 1);
    assert_true(record_queue_next_dead(&queue, &part, &left));
    assert_int_equal(part.records[0], 5);
    record_queue_return(&queue, (unsigned)left);
    /* And one that had said which segment it is. */
    put(&alive, 10);
    ChannelSegment *mine = &queue.channel->segments[alive.slot->segment];
    alive.slot->publishing = 1;
    mine->ticket = queue.channel->queue_tail++;
    mine->count = 1;
    mine->state = CHANNEL_SEGMENT_QUEUED;
    assert_false(record_queue_next(&queue, &part, &segment)); /* it lives: it is waited for */
    queue.channel->owners[alive.slot_number].pid = dead;
    queue.channel->owners[alive.slot_number].tid = dead;
    expect(&queue, own, 10, 1);
    record_queue_close(&queue);
}

/* The consumer is gone: nobody waits for segments for ever. */
static void without_a_consumer(void **state) {
    (void)state;
    RecordQueue queue;
    uint32_t own = (uint32_t)getpid();
    assert_int_equal(record_queue_open(&queue, CHANNEL_FETCHES_PAGE, false), CLI_OK);
    queue.channel->consumer_pid = dead_pid();
    ChannelProducer producer = producer_of(&queue, own);
    for (uint64_t i = 0; i < 2 * CHANNEL_SEGMENTS; i++) {
        put(&producer, i);
        channel_publish(&producer);
    }
    assert_int_equal(queue.channel->discard, 1);
    record_queue_close(&queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_come_in_order),  cmocka_unit_test(full_segments_are_handed_over),
        cmocka_unit_test(a_pause_keeps_events), cmocka_unit_test(the_dead_leave_a_segment),
        cmocka_unit_test(a_hole_is_passed),     cmocka_unit_test(without_a_consumer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
