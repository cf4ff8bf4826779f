/* SPDX-License-Identifier: Apache-2.0 */
#include "src/ports.h"

#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "src/text.h"
#include "src/url.h"

static bool read_member(const json_t *document, const char *key, char *dst, size_t cap)
{
    const char *value = json_string_value(json_object_get(document, key));
    if (value == NULL || value[0] == '\0' || strlen(value) >= cap || !troupe__text_is_clean_utf8(value)) {
        return false;
    }
    memcpy(dst, value, strlen(value) + 1);
    return true;
}

static bool read_entry(const json_t *document, troupe_client_node_entry *entry)
{
    const json_t *pid = json_object_get(document, "pid");
    char api[TROUPE_CLIENT_URL_BYTES_MAX + 1];
    /* Here, on the node's machine, what is bound is sure to be reached; "api" may be an address for others. */
    const char *key = json_object_get(document, "api_bound") != NULL ? "api_bound" : "api";
    if (!read_member(document, key, api, sizeof api) || troupe__url_normalise(api, entry->api, NULL) != 0 ||
        !read_member(document, "node", entry->node, sizeof entry->node) ||
        !read_member(document, "cluster", entry->cluster, sizeof entry->cluster) || !json_is_integer(pid)) {
        return false;
    }
    entry->pid = json_integer_value(pid);
    return entry->pid > 0 && entry->pid <= INT32_MAX;
}

int troupe__ports_parse(const char *json, size_t len, troupe_client_node_entry *ret_entry)
{
    troupe_client_node_entry entry = {0};
    json_t *document = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);
    bool is_good = read_entry(document, &entry);
    json_decref(document);
    if (!is_good) {
        return TROUPE_E_MALFORMED;
    }
    *ret_entry = entry;
    return 0;
}

bool troupe__ports_is_name(const char *file_name)
{
    size_t len = strlen(file_name);
    size_t suffix_len = strlen(TROUPE_PORTS_FILE_SUFFIX);
    return len > suffix_len && file_name[0] != '.' &&
           strcmp(file_name + len - suffix_len, TROUPE_PORTS_FILE_SUFFIX) == 0;
}
