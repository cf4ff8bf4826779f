/* SPDX-License-Identifier: Apache-2.0
 *
 * What a compiler is told about speed: which function is the rare half of a short one. */
#ifndef TROUPE_BASE_COMPILER_H
#define TROUPE_BASE_COMPILER_H

/* Rarely run: kept apart, so that the function that calls it needs neither its registers nor its stack. */
#define RARE __attribute__((noinline, cold))

/* Made again in each function that calls it, so that what is constant there costs nothing. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Kept apart, but run often enough to be fast. */
#define APART __attribute__((noinline))

#endif
