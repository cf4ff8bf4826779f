/* SPDX-License-Identifier: Apache-2.0 */
#include "join.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PORTS_BYTES_MAX = 4096 };

static const char file_scheme[] = "file:";

bool join_is_wanted(const char *asked) { return asked != NULL && asked[0] != '\0'; }

static void set_url(struct join *join, const char *url)
{
    snprintf(join->url, sizeof join->url, "%s", url);
    size_t len = strlen(join->url);
    if (len > 0 && join->url[len - 1] == '/')
        join->url[len - 1] = '\0';
}

static bool is_file(const struct join *join) { return strncmp(join->asked, file_scheme, sizeof file_scheme - 1) == 0; }

void join_init(struct join *join, const char *asked)
{
    *join = (struct join){.asked = asked};
    if (!is_file(join))
        set_url(join, asked);
}

/* A ports file is of this machine, so the bound address counts where it differs from the one for others. */
static bool read_ports(struct join *join, const char *text, size_t len)
{
    json_t *document = json_loadb(text, len, 0, NULL);
    const char *url = json_string_value(json_object_get(document, "api_bound"));
    if (url == NULL)
        url = json_string_value(json_object_get(document, "api"));
    bool is_good = url != NULL && strncmp(url, "http://", 7) == 0 && strlen(url) < JOIN_URL_BYTES;
    if (is_good)
        set_url(join, url);
    json_decref(document);
    return is_good;
}

bool join_locate(struct join *join, char *words, size_t words_cap)
{
    char text[PORTS_BYTES_MAX];
    if (!is_file(join))
        return true;
    const char *path = join->asked + sizeof file_scheme - 1;
    join->url[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof text) : -1;
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (len < 0)
        snprintf(words, words_cap, "the ports file %.200s cannot be read: %s", path, strerror(error));
    else if (!read_ports(join, text, (size_t)len))
        snprintf(words, words_cap, "%.200s is no ports file", path);
    return join->url[0] != '\0';
}
