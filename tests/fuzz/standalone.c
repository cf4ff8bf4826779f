/* SPDX-License-Identifier: Apache-2.0
 *
 * A plain main for fuzz targets, for compilers without libFuzzer and for the test run: gives each file named on the
 * command line, and each file in each folder named there, to the target once. A target that finds a fault aborts.
 *
 * Prints TAP: one line per file. Built with -DTROUPE_FUZZ_STANDALONE; empty otherwise. */
#ifdef TROUPE_FUZZ_STANDALONE

#define _POSIX_C_SOURCE 200809L

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned count;

static void stop(const char *path)
{
    printf("Bail out! %s: %s\n", path, strerror(errno));
    exit(1);
}

/* Read a file into a block of exactly its size, so that the sanitizer sees what is read past it. */
static void run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    long size;
    uint8_t *data;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) != 0) {
        stop(path);
        return;
    }
    data = malloc(size > 0 ? (size_t)size : 1);
    if (data == NULL || fread(data, 1, (size_t)size, file) != (size_t)size) {
        stop(path);
        return;
    }
    fclose(file);
    printf("# %s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, (size_t)size);
    printf("ok %u - %s\n", ++count, path);
    free(data);
}

static void run_folder(const char *path, DIR *folder)
{
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        char name[4096];

        if (entry->d_name[0] != '.') {
            snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
            run_file(name);
        }
    }
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        DIR *folder = opendir(argv[i]);

        if (folder != NULL) {
            run_folder(argv[i], folder);
            closedir(folder);
        } else {
            run_file(argv[i]);
        }
    }
    printf("1..%u\n", count);
    return count > 0 ? 0 : 1;
}

#else

/* ISO C wants something in each file. */
typedef int troupe_fuzz_by_the_engine;

#endif
