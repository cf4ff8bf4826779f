/* SPDX-License-Identifier: Apache-2.0
 *
 * trouped: arguments to configuration to node_run(). */
#include <stdio.h>

#include "config.h"
#include "node.h"

int main(int argc, char **argv)
{
    static struct config config;
    config_parse(&config, argc, argv);
    log_init(config.log_format, config.log_level);
    if (config.print_only)
        config_print(&config);
    else if (config.check_only)
        printf("the settings are fine\n");
    else
        return node_run(&config);
    return fflush(stdout) == 0 ? CONFIG_EXIT_OK : CONFIG_EXIT_FAILED;
}
