/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that a program makes to steer its own recording by `vmm record`. The header is all there
 * is: nothing to link, and where the program is not recorded a call is a few instructions that do
 * nothing.
 *
 *     vmm_record_stop();              leave the loading of the input out ...
 *     load(input);
 *     vmm_record_start();             ... record the work
 *     vmm_record_mark(1);             an event of its own in the trace: a phase begins
 *     work();
 *
 * `vmm record --paused` begins without recording. Stopping and starting hold for all processes of a
 * recording; mappings are told meanwhile. On processors other than x86-64 the calls do nothing.
 */
#ifndef VMM_RECORD_H
#define VMM_RECORD_H

#ifdef __cplusplus
extern "C" {
#endif

enum {
    VMM_RECORD_REQUEST_START = ('V' << 24) | ('M' << 16),
    VMM_RECORD_REQUEST_STOP,
    VMM_RECORD_REQUEST_MARK
};

#if defined(__GNUC__) || defined(__clang__)
/* The runtime of vmm cc has it; elsewhere it is not there, and the address is NULL. */
extern unsigned long vmm_fast_request(unsigned long request, unsigned long value)
    __attribute__((weak));
#endif

/*
 * How a program speaks to Valgrind: a sequence of instructions that changes nothing and that no
 * compiler makes, with the place of the arguments in rax. rdx: the answer, 0 without Valgrind.
 */
static inline unsigned long vmm_record_request(unsigned long request, unsigned long value) {
#if defined(__GNUC__) || defined(__clang__)
    if (vmm_fast_request != 0) {
        return vmm_fast_request(request, value);
    }
#endif
#if defined(__x86_64__) && !defined(__ILP32__) && (defined(__GNUC__) || defined(__clang__))
    volatile unsigned long arguments[6] = {request, value, 0, 0, 0, 0};
    unsigned long answer = 0;
    __asm__ volatile("rolq $3, %%rdi\n\t"
                     "rolq $13, %%rdi\n\t"
                     "rolq $61, %%rdi\n\t"
                     "rolq $51, %%rdi\n\t"
                     "xchgq %%rbx, %%rbx"
                     : "+d"(answer)
                     : "a"(arguments)
                     : "cc", "memory");
    return answer;
#else
    (void)request;
    (void)value;
    return 0;
#endif
}

/* References are recorded from here on. */
static inline void vmm_record_start(void) {
    vmm_record_request(VMM_RECORD_REQUEST_START, 0);
}

/* References are not recorded from here on. */
static inline void vmm_record_stop(void) {
    vmm_record_request(VMM_RECORD_REQUEST_STOP, 0);
}

/* Puts an event MARK with this value here. */
static inline void vmm_record_mark(unsigned long value) {
    vmm_record_request(VMM_RECORD_REQUEST_MARK, value);
}

#ifdef __cplusplus
}
#endif

#endif
