/* SPDX-License-Identifier: Apache-2.0 */
/* Included by test_base.c through include_each.h. */
"third",
