/* SPDX-License-Identifier: Apache-2.0 */
#include "announce.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "host.h"

static void write_object(const struct announce *announce, struct text *text)
{
    text_printf(text, "{\"event\":\"ready\",\"cluster\":\"%s\",\"node\":\"%s\",\"api\":\"%s\"", announce->cluster,
                announce->node, announce->url);
    if (strcmp(announce->bound_url, announce->url) != 0)
        text_printf(text, ",\"api_bound\":\"%s\"", announce->bound_url);
    text_printf(text, ",\"peer\":\"%s\",\"pid\":%ld}\n", announce->peer, (long)getpid());
}

static bool default_path(char *path, size_t cap)
{
    char dir[384];
    if (!host_runtime_dir(dir, sizeof dir))
        return false;
    int len = snprintf(path, cap, "%s/%ld.ports.json", dir, (long)getpid());
    return len > 0 && (size_t)len < cap;
}

static bool write_file(const char *path, const struct text *text)
{
    char temp[560];
    struct stat st;
    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        errno = EEXIST; /* the rename would put a file in the place of a device */
        return false;
    }
    snprintf(temp, sizeof temp, "%s.%ld.tmp", path, (long)getpid());
    unlink(temp);
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return false;
    bool done = write(fd, text->ptr, text->len) == (ssize_t)text->len;
    done = close(fd) == 0 && done;
    if (done && rename(temp, path) == 0)
        return true;
    int error = errno;
    unlink(temp);
    errno = error;
    return false;
}

bool announce_write_file(struct announce *announce, char *words, size_t words_cap)
{
    char buf[1024];
    struct text text;
    const char *asked = announce->ports_file;
    if (asked != NULL && asked[0] == '\0')
        return true;
    text_init_fixed(&text, buf, sizeof buf);
    write_object(announce, &text);
    if (asked == NULL) {
        if (default_path(announce->path, sizeof announce->path) && !write_file(announce->path, &text))
            announce->path[0] = '\0';
        return true;
    }
    int len = snprintf(announce->path, sizeof announce->path, "%s", asked);
    if (len >= 0 && (size_t)len < sizeof announce->path && write_file(announce->path, &text))
        return true;
    snprintf(words, words_cap, "--ports-file: cannot write %s: %s; name a file in a directory that can be written",
             asked, strerror((size_t)len >= sizeof announce->path ? ENAMETOOLONG : errno));
    announce->path[0] = '\0';
    return false;
}

bool announce_print(const struct announce *announce, bool json)
{
    char buf[1024];
    struct text text;
    text_init_fixed(&text, buf, sizeof buf);
    if (json)
        write_object(announce, &text);
    else
        text_printf(&text,
                    "trouped %s is ready: %s  (node %s, cluster %s, peer port %s, %u worker%s)\n"
                    "export URL=%s\ntrouped --join %s\n",
                    announce->version, announce->url, announce->node, announce->cluster, announce->peer,
                    announce->workers, announce->workers == 1 ? "" : "s", announce->url,
                    announce->join != NULL ? announce->join : announce->url);
    return fwrite(text.ptr, 1, text.len, stdout) == text.len && fflush(stdout) == 0;
}

void announce_remove_file(struct announce *announce)
{
    if (announce->path[0] != '\0')
        unlink(announce->path);
    announce->path[0] = '\0';
}
