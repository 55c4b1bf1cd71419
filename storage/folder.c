#include "storage/folder.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/err.h"

#include <pthread.h>

enum folder_state { FOLDER_IDLE, FOLDER_WORKING, FOLDER_DONE };

struct folder {
    struct ranges *ranges;
    void (*on_done)(void *context);
    void *context;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    enum folder_state state;
    bool stopping;
    const struct dirty *dirty;
    uint8_t side;
    enum err result;
};

static void *folder_thread(void *argument)
{
    struct folder *folder = argument;
    pthread_mutex_lock(&folder->lock);
    for (;;) {
        while (folder->state != FOLDER_WORKING && !folder->stopping)
            pthread_cond_wait(&folder->wake, &folder->lock);
        if (folder->state != FOLDER_WORKING)
            break;
        pthread_mutex_unlock(&folder->lock);
        enum err result = fold_write(folder->ranges, folder->dirty, folder->side);
        pthread_mutex_lock(&folder->lock);
        folder->result = result;
        folder->state = FOLDER_DONE;
        folder->on_done(folder->context);
    }
    pthread_mutex_unlock(&folder->lock);
    return NULL;
}

enum err folder_start(struct ranges *ranges, void (*on_done)(void *context), void *context,
                      struct folder **out)
{
    struct folder *folder = mem_zalloc(sizeof(*folder));
    folder->ranges = ranges;
    folder->on_done = on_done;
    folder->context = context;
    pthread_mutex_init(&folder->lock, NULL);
    pthread_cond_init(&folder->wake, NULL);
    int failed = pthread_create(&folder->thread, NULL, folder_thread, folder);
    if (failed) {
        pthread_cond_destroy(&folder->wake);
        pthread_mutex_destroy(&folder->lock);
        mem_free(folder);
        return err_of_errno(failed);
    }
    *out = folder;
    return ERR_OK;
}

void folder_stop(struct folder *folder)
{
    pthread_mutex_lock(&folder->lock);
    folder->stopping = true;
    pthread_cond_signal(&folder->wake);
    pthread_mutex_unlock(&folder->lock);
    pthread_join(folder->thread, NULL);
    pthread_cond_destroy(&folder->wake);
    pthread_mutex_destroy(&folder->lock);
    mem_free(folder);
}

void folder_submit(struct folder *folder, const struct dirty *dirty, uint8_t side)
{
    pthread_mutex_lock(&folder->lock);
    CHECK(folder->state == FOLDER_IDLE);
    folder->dirty = dirty;
    folder->side = side;
    folder->state = FOLDER_WORKING;
    pthread_cond_signal(&folder->wake);
    pthread_mutex_unlock(&folder->lock);
}

bool folder_poll(struct folder *folder, enum err *result)
{
    pthread_mutex_lock(&folder->lock);
    bool done = folder->state == FOLDER_DONE;
    if (done) {
        *result = folder->result;
        folder->state = FOLDER_IDLE;
    }
    pthread_mutex_unlock(&folder->lock);
    return done;
}
