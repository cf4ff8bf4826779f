/* SPDX-License-Identifier: Apache-2.0 */
#include "io/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

void peer_format_address(const struct sockaddr_storage *address, char *text, size_t cap)
{
    char host[INET6_ADDRSTRLEN];
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
    text[0] = '\0';
    if (address->ss_family == AF_INET && inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host) != NULL)
        snprintf(text, cap, "%s:%u", host, (unsigned)ntohs(v4->sin_port));
    else if (address->ss_family == AF_INET6 && inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host) != NULL)
        snprintf(text, cap, "[%s]:%u", host, (unsigned)ntohs(v6->sin6_port));
}

void peer_format(int fd, char *text, size_t cap)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    text[0] = '\0';
    if (getpeername(fd, (struct sockaddr *)&address, &len) == 0)
        peer_format_address(&address, text, cap);
}
