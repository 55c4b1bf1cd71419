/* world_model_internal: what the files of the model share. */
#ifndef WEIR_TESTS_SIM_WORLD_MODEL_INTERNAL_H
#define WEIR_TESTS_SIM_WORLD_MODEL_INTERNAL_H

#include "tests/sim/world_model.h"

struct model_stream *model_stream_of(struct model *model, unsigned db, unsigned key);
/* The write at hand changed the key; and made it, or took it away. */
void model_touch(struct model *model, unsigned db, unsigned key);
void model_touch_keys(struct model *model, unsigned db, unsigned key);

/* ---- groups ---- */

void model_groups_clear(struct model_stream *stream);
/* `to` has none of its own. */
void model_groups_copy(struct model_stream *to, const struct model_stream *from);
unsigned model_groups_count(const struct model_stream *stream);
/* As model_run, of the commands about groups. */
bool model_run_group_write(struct model *model, const struct model_command *command,
                           struct buf *out);
void model_run_group_read(struct model *model, const struct model_command *command,
                          struct buf *out);

/* ---- replies ---- */

void model_reply_number(struct buf *out, uint64_t n);
void model_reply_text(struct buf *out, struct bytes text);
void model_reply_string(struct buf *out, const char *text);
void model_reply_id(struct buf *out, struct id id);
void model_reply_key(struct buf *out, unsigned key);
void model_reply_entry(struct buf *out, const struct model_entry *entry);

#endif
