/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/token_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY_TRIES 100

struct place {
    char dir[PATH_MAX];
    char name[NAME_MAX + 1];
    int dir_fd; /* owned; locked */
    bool is_there;
    struct stat st; /* of the file, when it is there */
};

static int fail(char *why, size_t why_cap, const char *path, const char *what)
{
    snprintf(why, why_cap, "cannot %s %s: %s", what, path, strerror(errno));
    return TROUPE_E_INTERNAL;
}

/* Split the path, behind links, into folder and name. */
static int find_place(const char *path, struct place *place, char *why, size_t why_cap)
{
    char real[PATH_MAX];
    const char *whole = realpath(path, real) != NULL ? real : path;
    const char *slash = strrchr(whole, '/');
    const char *name = slash != NULL ? slash + 1 : whole;
    size_t dir_len = slash == NULL ? 0 : slash == whole ? 1 : (size_t)(slash - whole);
    if (name[0] == '\0' || strlen(name) >= sizeof place->name || dir_len >= sizeof place->dir) {
        errno = EISDIR;
        return fail(why, why_cap, path, "write");
    }
    snprintf(place->dir, sizeof place->dir, "%.*s", dir_len > 0 ? (int)dir_len : 1, dir_len > 0 ? whole : ".");
    memcpy(place->name, name, strlen(name) + 1);
    place->dir_fd = open(place->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (place->dir_fd < 0 || flock(place->dir_fd, LOCK_EX) != 0) {
        return fail(why, why_cap, place->dir, "open the folder");
    }
    return 0;
}

/* The whole file as text with a NUL. Owns: *ret_text is owned. */
static int read_text(struct place *place, const char *path, char **ret_text, size_t *ret_len, char *why, size_t why_cap)
{
    int fd = openat(place->dir_fd, place->name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        return 0;
    }
    int rc = fd < 0 || fstat(fd, &place->st) != 0 ? fail(why, why_cap, path, "read") : 0;
    if (rc == 0 && (!S_ISREG(place->st.st_mode) || place->st.st_size > TOKEN_FILE_BYTES_MAX)) {
        snprintf(why, why_cap, "%s is no token file: it is %s", path,
                 S_ISREG(place->st.st_mode) ? "too large" : "not a regular file");
        rc = TROUPE_E_INVALID;
    }
    char *text = rc == 0 ? malloc((size_t)place->st.st_size + 1) : NULL;
    if (text != NULL) {
        ssize_t len = read(fd, text, (size_t)place->st.st_size);
        rc = len == place->st.st_size ? 0 : fail(why, why_cap, path, "read");
        *ret_text = text;
        *ret_len = (size_t)place->st.st_size;
        place->is_there = true;
    } else if (rc == 0) {
        rc = fail(why, why_cap, path, "read");
    }
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

/* The document of the file, or a new one. Owns: *ret_document is owned. */
static int read_document(struct place *place, const char *path, json_t **ret_document, char *why, size_t why_cap)
{
    char *text = NULL;
    size_t len = 0;
    json_error_t error;
    int rc = read_text(place, path, &text, &len, why, why_cap);
    if (rc == 0) {
        json_t *document =
            place->is_there ? json_loadb(text, len, JSON_REJECT_DUPLICATES, &error) : json_pack("{s:[]}", "tokens");
        if (!json_is_array(json_object_get(document, "tokens"))) {
            snprintf(why, why_cap, "%s is no token file: %s", path,
                     document == NULL ? error.text : "it has no list \"tokens\"");
            json_decref(document);
            rc = TROUPE_E_INVALID;
        } else {
            *ret_document = document;
        }
    }
    free(text);
    return rc;
}

static int add_row(json_t *document, const json_t *row, const char *path, char *why, size_t why_cap)
{
    json_t *rows = json_object_get(document, "tokens");
    size_t i;
    json_t *other;
    json_array_foreach(rows, i, other)
    {
        const json_t *id = json_object_get(other, "id");
        if (id != NULL && json_equal(id, json_object_get(row, "id"))) {
            snprintf(why, why_cap, "%s has a token with the id '%s' already; choose another --id, or remove that row",
                     path, json_string_value(id));
            return TROUPE_E_INVALID;
        }
    }
    if (json_array_append_new(rows, json_deep_copy(row)) != 0) {
        snprintf(why, why_cap, "memory is exhausted");
        return TROUPE_E_INTERNAL;
    }
    return 0;
}

/* A new file beside the other, for nobody else to read. Returns the descriptor, or -1. */
static int open_temporary(const struct place *place, char name[static NAME_MAX + 1])
{
    for (unsigned i = 0; i < TEMPORARY_TRIES; i++) {
        snprintf(name, NAME_MAX + 1, ".tokens.%ld.%u", (long)getpid(), i);
        int fd = openat(place->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST) {
            return fd;
        }
    }
    return -1;
}

static bool write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t done = write(fd, text, len);
        if (done < 0 && errno != EINTR) {
            return false;
        }
        text += done > 0 ? done : 0;
        len -= done > 0 ? (size_t)done : 0;
    }
    return true;
}

/* Write, flush, rename, flush the folder: after a crash it is the old file or the new one. */
static int replace(const struct place *place, const json_t *document, const char *path, char *why, size_t why_cap)
{
    char name[NAME_MAX + 1];
    char *text = json_dumps(document, JSON_INDENT(2));
    int fd = text != NULL ? open_temporary(place, name) : -1;
    if (fd < 0) {
        free(text);
        return fail(why, why_cap, path, "write");
    }
    bool is_other = place->is_there && (place->st.st_uid != geteuid() || place->st.st_gid != getegid());
    bool is_good = write_all(fd, text, strlen(text)) && write_all(fd, "\n", 1) &&
                   (!is_other || fchown(fd, place->st.st_uid, place->st.st_gid) == 0) && fsync(fd) == 0 &&
                   renameat(place->dir_fd, name, place->dir_fd, place->name) == 0 && fsync(place->dir_fd) == 0;
    int rc = is_good ? 0 : fail(why, why_cap, path, "write");
    if (!is_good) {
        unlinkat(place->dir_fd, name, 0);
    }
    close(fd);
    free(text);
    return rc;
}

int token_file_add(const char *path, const json_t *row, char *why, size_t why_cap)
{
    struct place place = {.dir_fd = -1};
    json_t *document = NULL;
    int rc = find_place(path, &place, why, why_cap);
    rc = rc != 0 ? rc : read_document(&place, path, &document, why, why_cap);
    rc = rc != 0 ? rc : add_row(document, row, path, why, why_cap);
    rc = rc != 0 ? rc : replace(&place, document, path, why, why_cap);
    json_decref(document);
    if (place.dir_fd >= 0) {
        close(place.dir_fd);
    }
    return rc;
}
