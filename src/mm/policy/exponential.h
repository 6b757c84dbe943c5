/* SPDX-License-Identifier: Apache-2.0 */
/*
 * e^x without the mathematical library, which the build as one file does not link: the series of
 * e^(x / 1024), squared ten times. Relative error below 1e-12 for -700 < x < 1; below that 0.
 */
#ifndef VMM_MM_POLICY_EXPONENTIAL_H
#define VMM_MM_POLICY_EXPONENTIAL_H

static inline double exponential(double x) {
    if (x < -700) {
        return 0;
    }
    double small = x / 1024;
    double sum = 1;
    for (int term = 10; term > 0; term--) {
        sum = 1 + small / term * sum;
    }
    for (int squaring = 0; squaring < 10; squaring++) {
        sum *= sum;
    }
    return sum;
}

#endif
