/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* memfd_create */
#include "plugin_file.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/sha.h>

#include <troupe/error.h>

enum { PATH_BYTES = 64 };

/* The loader knows an object by this path, so the descriptor is another's only when the object is unloaded. */
static void path_of(int fd, char path[static PATH_BYTES]) { snprintf(path, PATH_BYTES, "/proc/self/fd/%d", fd); }

/* ---- read ---- */

static bool is_same_stat(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Copy all of the file. */
static int copy_bytes(int from, int to, char *words, size_t cap)
{
    static char buf[1 << 16]; /* one thread at a time */
    ssize_t got;
    uint64_t total = 0;
    while ((got = read(from, buf, sizeof buf)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        total += got > 0 ? (uint64_t)got : 0;
        if (total > PLUGIN_FILE_BYTES_MAX) {
            snprintf(words, cap, "it is larger than %d MiB", PLUGIN_FILE_BYTES_MAX >> 20);
            return TROUPE_E_INVALID;
        }
        if (got < 0 || write(to, buf, (size_t)got) != got) {
            snprintf(words, cap, "it cannot be read: %s", strerror(errno));
            return TROUPE_E_INVALID;
        }
    }
    return 0;
}

/* The digest of the copy: nobody changes that. */
static int hash_bytes(struct plugin_copy *copy, char *words, size_t cap)
{
    struct stat stat;
    void *bytes = fstat(copy->fd, &stat) == 0 && stat.st_size > 0
                      ? mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, copy->fd, 0)
                      : MAP_FAILED;
    if (bytes == MAP_FAILED) {
        snprintf(words, cap, "it is empty, or memory is exhausted");
        return TROUPE_E_INVALID;
    }
    SHA256(bytes, (size_t)stat.st_size, copy->identity.digest);
    munmap(bytes, (size_t)stat.st_size);
    return 0;
}

static int copy_file(int fd, struct plugin_copy *copy, char *words, size_t cap)
{
    copy->fd = memfd_create("troupe-behavior", MFD_CLOEXEC);
    if (copy->fd < 0) {
        snprintf(words, cap, "there is no memory or descriptor for a copy of it: %s", strerror(errno));
        return TROUPE_E_INVALID;
    }
    int error = copy_bytes(fd, copy->fd, words, cap);
    if (error == 0)
        error = hash_bytes(copy, words, cap);
    if (error != 0)
        plugin_file_drop(copy);
    return error;
}

static int read_changed(int fd, struct plugin_identity *known, struct plugin_copy *copy, char *words, size_t cap)
{
    if (fstat(fd, &copy->identity.stat) != 0 || !S_ISREG(copy->identity.stat.st_mode)) {
        snprintf(words, cap, "it is no file");
        return TROUPE_E_INVALID;
    }
    if ((copy->identity.stat.st_mode & S_IWOTH) != 0) {
        snprintf(words, cap, "everybody may write it, and it would be code of this node; chmod o-w it");
        return TROUPE_E_INVALID;
    }
    if (is_same_stat(&known->stat, &copy->identity.stat))
        return 0;
    int error = copy_file(fd, copy, words, cap);
    if (error != 0)
        return error;
    if (memcmp(known->digest, copy->identity.digest, sizeof known->digest) != 0)
        return 1;
    known->stat = copy->identity.stat;
    plugin_file_drop(copy);
    return 0;
}

int plugin_file_read(const char *path, struct plugin_identity *known, struct plugin_copy *ret_copy, char *words,
                     size_t cap)
{
    struct plugin_copy copy = {.fd = -1};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold the node */
    if (fd < 0) {
        snprintf(words, cap, "it cannot be opened: %s", strerror(errno));
        return TROUPE_E_INVALID;
    }
    int rc = read_changed(fd, known, &copy, words, cap);
    close(fd);
    if (rc == 1)
        *ret_copy = copy;
    return rc;
}

/* ---- load ---- */

static bool read_at(int fd, void *dst, size_t len, uint64_t at)
{
    return pread(fd, dst, len, (off_t)at) == (ssize_t)len;
}

/* Is it for this machine? The node's own file tells which that is. */
static bool is_for_this_machine(const ElfW(Ehdr) *head)
{
    ElfW(Ehdr) own;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    bool is_read = fd >= 0 && read_at(fd, &own, sizeof own, 0);
    if (fd >= 0)
        close(fd);
    return !is_read || (own.e_ident[EI_CLASS] == head->e_ident[EI_CLASS] &&
                        own.e_ident[EI_DATA] == head->e_ident[EI_DATA] && own.e_machine == head->e_machine);
}

/* Lies every segment inside the file? The system's loader maps what is not, and the process dies when it is read. */
static bool is_whole(int fd, const ElfW(Ehdr) *head)
{
    struct stat stat;
    if (fstat(fd, &stat) != 0 || head->e_phentsize != sizeof(ElfW(Phdr)))
        return false;
    for (unsigned i = 0; i < head->e_phnum; i++) {
        ElfW(Phdr) segment;
        if (!read_at(fd, &segment, sizeof segment, head->e_phoff + i * sizeof segment) ||
            segment.p_offset > (uint64_t)stat.st_size || segment.p_filesz > (uint64_t)stat.st_size - segment.p_offset)
            return false;
    }
    return true;
}

static const char *misfit_of(int fd)
{
    ElfW(Ehdr) head;
    if (!read_at(fd, &head, sizeof head, 0) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
        return "it is not a shared object; make one with: cc -shared -fPIC $(pkg-config --cflags troupe) -o FILE.so "
               "FILE.c";
    if (!is_for_this_machine(&head))
        return "it was compiled for another machine than this node";
    if (head.e_type != ET_DYN)
        return "it is not a shared object but an object or a program; link it with: cc -shared";
    return is_whole(fd, &head) ? NULL : "it ends early; was it being written?";
}

/* What the loader says begins with the path of the copy. */
static void explain_loader(char *words, size_t cap)
{
    static const char missing[] = "undefined symbol: ";
    const char *said = dlerror(), *at = said != NULL ? strstr(said, ": ") : NULL;
    const char *symbol = said != NULL ? strstr(said, missing) : NULL;
    if (symbol != NULL)
        snprintf(words, cap, "it needs %.200s, which neither this node nor what it was linked with has; compile it "
                             "against the headers of this node, and link its libraries", symbol + sizeof missing - 1);
    else
        snprintf(words, cap, "it cannot be loaded: %.300s", at != NULL ? at + 2 : "the loader does not say why");
}

static int check_export(const troupe_export *found, char *words, size_t cap)
{
    if (found == NULL)
        snprintf(words, cap, "it exports no behaviors; end its source with: TROUPE_EXPORT_BEHAVIORS(&yours);");
    else if (found->magic != TROUPE_EXPORT_MAGIC)
        snprintf(words, cap, "its symbol troupe_exported_behaviors is something else; make it with "
                             "TROUPE_EXPORT_BEHAVIORS");
    else if (found->abi != TROUPE_BEHAVIOR_ABI)
        snprintf(words, cap,
                 "it was compiled for version %u of the behavior ABI, and this node has version %u; compile "
                 "it against the headers of this node (pkg-config troupe)",
                 found->abi, TROUPE_BEHAVIOR_ABI);
    else if (found->behavior_bytes < TROUPE_BEHAVIOR_BYTES_MIN || found->type_bytes != sizeof(troupe_type))
        snprintf(words, cap, "its tables have %u and %u bytes, and those of this ABI at least %zu and %zu; compile it "
                             "against the headers of this node (pkg-config troupe)", found->behavior_bytes,
                 found->type_bytes, TROUPE_BEHAVIOR_BYTES_MIN, sizeof(troupe_type));
    else if (found->count == 0 || found->count > PLUGIN_BEHAVIORS_MAX || found->behaviors == NULL)
        snprintf(words, cap, "it exports %u behaviors, and a file has 1 to %d", found->count, PLUGIN_BEHAVIORS_MAX);
    else
        return 0;
    return TROUPE_E_INVALID;
}

int plugin_file_load(struct plugin_copy *copy, const troupe_export **ret_export, char *words, size_t cap)
{
    char path[PATH_BYTES];
    const char *misfit = misfit_of(copy->fd);
    if (misfit != NULL) {
        snprintf(words, cap, "%s", misfit);
        return TROUPE_E_INVALID;
    }
    path_of(copy->fd, path);
    copy->object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (copy->object == NULL) {
        explain_loader(words, cap);
        return TROUPE_E_INVALID;
    }
    const troupe_export *found = dlsym(copy->object, "troupe_exported_behaviors");
    int error = check_export(found, words, cap);
    if (error == 0)
        *ret_export = found;
    return error;
}

void plugin_file_drop(struct plugin_copy *copy)
{
    char path[PATH_BYTES];
    bool stays = false;
    if (copy->fd < 0)
        return;
    if (copy->object != NULL) {
        path_of(copy->fd, path);
        stays = dlclose(copy->object) != 0 || dlopen(path, RTLD_LAZY | RTLD_NOLOAD) != NULL;
    }
    if (!stays)
        close(copy->fd);
    *copy = (struct plugin_copy){.fd = -1};
}
