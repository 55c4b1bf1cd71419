/* version: what the server says it is. */
#ifndef WEIR_BROKER_VERSION_H
#define WEIR_BROKER_VERSION_H

#define WEIR_VERSION "0.1.0"

/* The Redis whose commands and replies these are: clients gate features on it. */
#define REDIS_VERSION "7.4.0"

#endif
