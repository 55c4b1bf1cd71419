/* folder: the thread that folds.
 *
 * It gets one sealed set at a time and calls fold_write on it; it never touches live state.
 *
 * Threads: every function is called on the loop's thread. `on_done` is called on the folder's
 * thread when a fold has ended; it may only wake the loop. */
#ifndef WEIR_STORAGE_FOLDER_H
#define WEIR_STORAGE_FOLDER_H

#include "storage/fold.h"

struct folder;

/* Borrows `ranges`. ERR_IO when there is no thread to be had. */
MUST_CHECK enum err folder_start(struct ranges *ranges, void (*on_done)(void *context),
                                 void *context, struct folder **out);
/* Waits for the fold under way. */
void folder_stop(struct folder *folder);

/* No fold may be under way. Borrows `dirty` until folder_poll says it is done. */
void folder_submit(struct folder *folder, const struct dirty *dirty, uint8_t side);

/* True once for each submitted fold, when it has ended: *result says how. */
bool folder_poll(struct folder *folder, enum err *result);

#endif
