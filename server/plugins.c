/* SPDX-License-Identifier: Apache-2.0 */
#include "plugins.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "api/contract.h"
#include "base/clock.h"
#include "base/log.h"
#include "plugin_file.h"

enum { WORDS_BYTES = 768, FILES_MAX = 256 };

/* A file that was loaded, or tried, before. */
struct plugin {
    struct plugin *next;
    struct plugin_identity identity;
    char path[];
};

/* A table of a plugin, as large as this node's; the core borrows it. */
struct table {
    struct table *next;
    troupe_behavior behavior;
};

/* A behavior that is ready to be made known. */
struct candidate {
    struct table *table;         /* owned until then, as is the next */
    struct contract *contract;
    bool replaces;
};

struct plugins {
    troupe_system *system;
    const char *const *paths;
    struct plugin *files;
    unsigned files_count;
    struct table *tables;
};

static int refuse(char *words, size_t cap, const char *path, const char *why)
{
    snprintf(words, cap, "--behavior: %s: %s", path, why);
    return TROUPE_E_INVALID;
}

/* ---- one table ---- */

/* Is what a newer header has behind our last field empty? */
static bool is_known_whole(const troupe_behavior *behavior)
{
    const unsigned char *bytes = (const unsigned char *)behavior;
    for (uint32_t i = sizeof *behavior; i < behavior->size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

static bool is_word(const char *text)
{
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.:-";
    size_t len = text != NULL ? strlen(text) : 0;
    return len > 0 && len <= TROUPE_TYPE_BYTES_MAX && strspn(text, allowed) == len;
}

static const char *fault_of_types(const troupe_behavior *behavior)
{
    if (behavior->types_count > TROUPE_TYPES_PER_BEHAVIOR_MAX)
        return "it has more message types than a behavior may";
    if (behavior->types_count > 0 && behavior->types == NULL)
        return "it counts message types and has no table of them";
    for (uint32_t i = 0; i < behavior->types_count; i++) {
        if (!is_word(behavior->types[i].name))
            return "the name of a message type is 1 to 64 of A-Z a-z 0-9 _ . : -";
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(behavior->types[i].name, behavior->types[k].name) == 0)
                return "it has a message type twice";
        }
    }
    return NULL;
}

/* What the core would refuse without words. */
static const char *fault_of(const troupe_behavior *behavior, uint32_t bytes)
{
    if (behavior == NULL || behavior->abi != TROUPE_BEHAVIOR_ABI || behavior->size != bytes)
        return "begin its table with TROUPE_BEHAVIOR_HEAD";
    if (!is_known_whole(behavior))
        return "it uses fields of a newer header than that of this node";
    if (!is_word(behavior->name))
        return "its name is 1 to 64 of A-Z a-z 0-9 _ . : -";
    if (behavior->version == NULL)
        return "it has no version";
    if (behavior->receive == NULL)
        return "it has no receive function";
    return fault_of_types(behavior);
}

/* ---- one file ---- */

/* May a file have a behavior of this name? One that it had before is replaced. */
static bool may_have(const struct plugins *plugins, const char *path, const char *name, bool *ret_replaces)
{
    troupe_view view = troupe_view_of(name);
    const struct contract *holder = troupe_system_behavior_host(plugins->system, view);
    *ret_replaces = troupe_system_behavior(plugins->system, view) != NULL;
    return !*ret_replaces || (holder != NULL && holder->file != NULL && strcmp(holder->file, path) == 0);
}

static bool is_twice(const struct candidate *candidates, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(candidates[i].table->behavior.name, candidates[count].table->behavior.name) == 0)
            return true;
    }
    return false;
}

/* Fill candidates[at]. */
static int prepare(struct plugins *plugins, const char *path, const troupe_export *found, struct candidate *candidates,
                   uint32_t at, char *words, size_t cap)
{
    char why[WORDS_BYTES], said[WORDS_BYTES];
    struct candidate *candidate = &candidates[at];
    const troupe_behavior *behavior = found->behaviors[at];
    const char *fault = fault_of(behavior, found->behavior_bytes);
    if (fault != NULL) {
        bool is_named = behavior != NULL && behavior->size == found->behavior_bytes && is_word(behavior->name);
        snprintf(why, sizeof why, "its behavior %u%s%s: %s", at + 1, is_named ? ", " : "",
                 is_named ? behavior->name : "", fault);
        return refuse(words, cap, path, why);
    }
    candidate->table = calloc(1, sizeof *candidate->table);
    if (candidate->table == NULL)
        return refuse(words, cap, path, "memory is exhausted");
    troupe_behavior *table = &candidate->table->behavior;
    memcpy(table, behavior, behavior->size < sizeof *table ? behavior->size : sizeof *table);
    table->size = sizeof *table;
    if (is_twice(candidates, at) || !may_have(plugins, path, table->name, &candidate->replaces)) {
        snprintf(why, sizeof why, "this node has a behavior %s already; give yours another name", table->name);
        return refuse(words, cap, path, why);
    }
    if (contract_new(table, path, clock_wall_ms(), &candidate->contract, said, sizeof said) != 0) {
        snprintf(why, sizeof why, "its behavior %s: %.600s", table->name, said);
        return refuse(words, cap, path, why);
    }
    return 0;
}

static void drop(struct candidate *candidates, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        contract_free(candidates[i].contract);
        free(candidates[i].table);
    }
}

static uint32_t count_known(const troupe_system *system)
{
    uint32_t count = 0;
    while (troupe_system_behavior_at(system, count) != NULL)
        count++;
    return count;
}

static void tell_loaded(const char *path, const struct candidate *candidate)
{
    const troupe_behavior *behavior = &candidate->table->behavior;
    const struct log_field fields[] = {
        {"behavior", behavior->name}, {"version", behavior->version}, {"file", path}, {NULL, NULL},
    };
    log_write(TROUPE_LOG_INFO, candidate->replaces ? "a behavior was loaded again" : "a behavior was loaded", fields);
}

/* Nothing can be wrong any more: only this thread adds behaviors. */
static int make_known(struct plugins *plugins, const char *path, struct candidate *candidates, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct candidate *candidate = &candidates[i];
        int error = troupe_system_install_behavior(plugins->system, &candidate->table->behavior, candidate->contract,
                                                   candidate->replaces);
        if (error != 0)
            return error;
        tell_loaded(path, candidate);
        candidate->table->next = plugins->tables;
        plugins->tables = candidate->table;
        *candidate = (struct candidate){0};
    }
    return 0;
}

static int install(struct plugins *plugins, const char *path, const troupe_export *found, char *words, size_t cap)
{
    struct candidate candidates[PLUGIN_BEHAVIORS_MAX] = {0};
    int error = 0;
    if (count_known(plugins->system) + found->count > TROUPE_BEHAVIORS_MAX)
        return refuse(words, cap, path, "the node has loaded as many behaviors and versions of them as it may; restart "
                                        "it");
    for (uint32_t i = 0; error == 0 && i < found->count; i++)
        error = prepare(plugins, path, found, candidates, i, words, cap);
    if (error == 0 && make_known(plugins, path, candidates, found->count) != 0)
        error = refuse(words, cap, path, "the core does not take it");
    drop(candidates, found->count);
    return error;
}

static struct plugin *find_file(const struct plugins *plugins, const char *path)
{
    struct plugin *file = plugins->files;
    while (file != NULL && strcmp(file->path, path) != 0)
        file = file->next;
    return file;
}

static struct plugin *add_file(struct plugins *plugins, const char *path)
{
    size_t len = strlen(path);
    struct plugin *file = plugins->files_count < FILES_MAX ? calloc(1, sizeof *file + len + 1) : NULL;
    if (file == NULL)
        return NULL;
    memcpy(file->path, path, len + 1);
    file->next = plugins->files;
    plugins->files = file;
    plugins->files_count++;
    return file;
}

/* 1: it was loaded. 0: it has not changed. */
static int load_file(struct plugins *plugins, const char *path, char *words, size_t cap)
{
    char why[WORDS_BYTES];
    struct plugin_copy copy;
    const troupe_export *found = NULL;
    struct plugin *file = find_file(plugins, path);
    if (file == NULL)
        file = add_file(plugins, path);
    if (file == NULL)
        return refuse(words, cap, path, "there is no memory for more files, or there are too many of them");
    int rc = plugin_file_read(path, &file->identity, &copy, why, sizeof why);
    if (rc == 0)
        return 0;
    if (rc < 0)
        return refuse(words, cap, path, why);
    struct plugin_identity identity = copy.identity;
    int error = plugin_file_load(&copy, &found, why, sizeof why);
    if (error != 0)
        (void)refuse(words, cap, path, why);
    else
        error = install(plugins, path, found, words, cap);
    if (error != 0) {
        plugin_file_drop(&copy);
        return error;
    }
    file->identity = identity;
    return 1;
}

/* ---- all of them ---- */

static int is_object(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 3 && entry->d_name[0] != '.' && strcmp(entry->d_name + len - 3, ".so") == 0;
}

/* What became of a file: -1 if no more are to be loaded. */
typedef int (*loaded_fn)(int rc, const char *words, void *user);

/* The files of a directory in the order of their names. */
static int load_directory(struct plugins *plugins, const char *folder, loaded_fn loaded, void *user)
{
    struct dirent **entries = NULL;
    char words[WORDS_BYTES + 256], path[4096];
    int count = scandir(folder, &entries, is_object, alphasort), rc = 0;
    if (count < 0) {
        (void)refuse(words, sizeof words, folder, strerror(errno));
        return loaded(TROUPE_E_INVALID, words, user);
    }
    for (int i = 0; i < count; i++) {
        if (rc >= 0) {
            int len = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
            int error = len < (int)sizeof path ? load_file(plugins, path, words, sizeof words)
                                               : refuse(words, sizeof words, folder, "the path of a file is too long");
            rc = loaded(error, words, user);
        }
        free(entries[i]);
    }
    free(entries);
    return rc;
}

static void load_all(struct plugins *plugins, loaded_fn loaded, void *user)
{
    char words[WORDS_BYTES + 256];
    int rc = 0;
    for (unsigned i = 0; rc >= 0 && plugins->paths[i] != NULL; i++) {
        struct stat stat_;
        const char *path = plugins->paths[i];
        if (stat(path, &stat_) == 0 && S_ISDIR(stat_.st_mode))
            rc = load_directory(plugins, path, loaded, user);
        else
            rc = loaded(load_file(plugins, path, words, sizeof words), words, user);
    }
}

/* At the start the first refusal is the end. */
struct starting {
    int error;
    char *words;
    size_t cap;
};

static int on_start(int rc, const char *words, void *user)
{
    struct starting *starting = user;
    if (rc >= 0)
        return 0;
    starting->error = rc;
    snprintf(starting->words, starting->cap, "%s", words);
    return -1;
}

int plugins_new(troupe_system *system, const char *const *paths, struct plugins **ret_plugins, char *words, size_t cap)
{
    struct starting starting = {.words = words, .cap = cap};
    struct plugins *plugins = calloc(1, sizeof *plugins);
    if (plugins == NULL) {
        snprintf(words, cap, "memory is exhausted");
        return TROUPE_E_NO_MEMORY;
    }
    plugins->system = system;
    plugins->paths = paths;
    *ret_plugins = plugins; /* also of a failed start: the system may have borrowed from it */
    load_all(plugins, on_start, &starting);
    return starting.error;
}

bool plugins_are_wanted(const struct plugins *plugins) { return plugins->paths[0] != NULL; }

static int on_reload(int rc, const char *words, void *user)
{
    unsigned *count = user;
    if (rc < 0)
        log_printf(TROUPE_LOG_ERROR, "%s; what was loaded before stays", words);
    *count += rc > 0 ? 1 : 0;
    return 0;
}

bool plugins_reload(struct plugins *plugins)
{
    unsigned count = 0;
    load_all(plugins, on_reload, &count);
    if (count == 0)
        log_printf(TROUPE_LOG_INFO, "no behavior was loaded: their files are as they were");
    return count > 0;
}

void plugins_free(struct plugins *plugins)
{
    if (plugins == NULL)
        return;
    while (plugins->files != NULL) {
        struct plugin *file = plugins->files;
        plugins->files = file->next;
        free(file);
    }
    while (plugins->tables != NULL) {
        struct table *table = plugins->tables;
        plugins->tables = table->next;
        free(table);
    }
    free(plugins);
}
