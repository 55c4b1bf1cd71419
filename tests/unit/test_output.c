#include "broker/output.h"

#include "tests/unit/unit.h"

static uint64_t seed;

static void write_text(struct output *output, const char *text)
{
    buf_add_bytes(&output->tail, bytes_of_string(text));
}

static void what_is_behind_a_gate_waits_for_its_record(void **state)
{
    struct output output;

    (void)state;
    output_init(&output);
    write_text(&output, "abc");
    output_gate(&output, output.tail.len, 5, 0);
    write_text(&output, "defg");
    assert_int_equal(output_ready(&output, 4), 3);
    assert_int_equal(output_ready(&output, 5), 7);
    output_sent(&output, 3, 4);
    assert_int_equal(output_ready(&output, 4), 0);
    assert_int_equal(output_ready(&output, 6), 4);
    output_deinit(&output);
}

static void a_lower_gate_behind_a_higher_one_changes_nothing(void **state)
{
    struct output output;

    (void)state;
    output_init(&output);
    output_gate(&output, 0, 5, 0);
    write_text(&output, "abc");
    output_gate(&output, output.tail.len, 5, 0);
    output_gate(&output, output.tail.len, 4, 0);
    assert_int_equal(output.gate_count, 1);
    output_deinit(&output);
}

static void too_many_gates_hold_back_for_longer(void **state)
{
    struct output output;

    (void)state;
    output_init(&output);
    for (uint64_t lsn = 1; lsn <= OUTPUT_GATES_MAX + 3; lsn++) {
        output_gate(&output, output.tail.len, lsn, 0);
        write_text(&output, "x");
    }
    assert_int_equal(output_ready(&output, OUTPUT_GATES_MAX - 1), OUTPUT_GATES_MAX - 1);
    assert_int_equal(output_ready(&output, OUTPUT_GATES_MAX + 2), OUTPUT_GATES_MAX - 1);
    assert_int_equal(output_ready(&output, OUTPUT_GATES_MAX + 3), OUTPUT_GATES_MAX + 3);
    output_deinit(&output);
}

static void a_rewind_takes_bytes_and_gates_back(void **state)
{
    struct output output;
    size_t point;

    (void)state;
    output_init(&output);
    output_gate(&output, 0, 3, 0);
    write_text(&output, "abc");
    point = output.tail.len;
    output_gate(&output, point, 7, 0);
    write_text(&output, "def");
    output_rewind(&output, point);
    assert_int_equal(output_size(&output), 3);
    assert_int_equal(output_ready(&output, 3), 3);
    output_deinit(&output);
}

static void a_pinned_block_stays_while_more_is_written(void **state)
{
    struct output output;
    struct bytes pinned, spans[2];

    (void)state;
    output_init(&output);
    write_text(&output, "hello world");
    pinned = output_pin(&output, 5);
    assert_true(bytes_equal(pinned, BYTES("hello")));
    for (int i = 0; i < 100000; i++)
        write_text(&output, "more");
    assert_true(bytes_equal(pinned, BYTES("hello")));
    output_sent(&output, 5, 0);
    assert_int_equal(output_spans(&output, 10, spans), 2);
    assert_true(bytes_equal(spans[0], BYTES(" world")));
    assert_true(bytes_equal(spans[1], BYTES("more")));
    output_deinit(&output);
}

/* The model: all bytes ever written, and for each the LSN it waits for. */
#define MODEL_BYTES ((size_t)1 << 20)

struct model {
    char bytes[MODEL_BYTES];
    uint64_t gate[MODEL_BYTES];
    size_t len;
    size_t sent;
};

static size_t model_ready(const struct model *model, uint64_t durable)
{
    size_t at = model->sent;

    while (at < model->len && model->gate[at] <= durable)
        at++;
    return at - model->sent;
}

static void model_write(struct random *random, struct model *model, struct output *output,
                        uint64_t gate, uint64_t durable)
{
    size_t size = 1 + random_below(random, random_below(random, 10) == 0 ? 9000 : 200);
    uint64_t before = model->len > 0 ? model->gate[model->len - 1] : 0;

    if (gate > durable)
        output_gate(output, output->tail.len, gate, durable);
    for (size_t i = 0; i < size && model->len < MODEL_BYTES; i++) {
        char c = (char)random_u64(random);
        buf_add(&output->tail, &c, 1);
        model->bytes[model->len] = c;
        model->gate[model->len] = gate > before ? gate : before;
        model->len++;
    }
}

static void assert_next(const struct model *model, struct bytes bytes)
{
    assert_memory_equal(bytes.data, model->bytes + model->sent, bytes.len);
}

/* Writes something and takes it back. */
static void write_in_vain(struct random *random, struct output *output, uint64_t durable)
{
    size_t point = output->tail.len;

    output_gate(output, point, durable + 1, durable);
    for (uint64_t n = random_below(random, 100); n > 0; n--)
        write_text(output, "vain");
    output_rewind(output, point);
}

static void model_send(struct random *random, struct model *model, struct output *output,
                       uint64_t durable)
{
    size_t ready = output_ready(output, durable);
    size_t size = ready == 0 ? 0 : random_below(random, ready + 1);
    struct bytes spans[2];

    assert_int_equal(ready, model_ready(model, durable));
    if (size == 0)
        return;
    if (random_below(random, 2) == 0) {
        struct bytes pinned = output_pin(output, size);
        assert_next(model, pinned);
        size = pinned.len;
    } else {
        unsigned count = output_spans(output, size, spans);
        assert_next(model, spans[0]);
        if (count == 2)
            assert_memory_equal(spans[1].data, model->bytes + model->sent + spans[0].len,
                                spans[1].len);
    }
    output_sent(output, size, durable);
    model->sent += size;
}

static void random_writes_and_sends_agree_with_the_model(void **state)
{
    struct model *model = calloc(1, sizeof(*model));
    struct random random;
    struct output output;
    uint64_t durable = 0;

    (void)state;
    random_init(&random, seed);
    output_init(&output);
    while (model->len < MODEL_BYTES - 10000) {
        /* As with the committer: two records at most are not durable. */
        model_write(&random, model, &output, durable + random_below(&random, 3), durable);
        if (random_below(&random, 3) == 0)
            model_send(&random, model, &output, durable);
        if (random_below(&random, 3) == 0)
            write_in_vain(&random, &output, durable);
        if (random_below(&random, 3) == 0)
            durable++;
        assert_int_equal(output_size(&output), model->len - model->sent);
    }
    output_deinit(&output);
    free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_behind_a_gate_waits_for_its_record),
        cmocka_unit_test(a_lower_gate_behind_a_higher_one_changes_nothing),
        cmocka_unit_test(too_many_gates_hold_back_for_longer),
        cmocka_unit_test(a_rewind_takes_bytes_and_gates_back),
        cmocka_unit_test(a_pinned_block_stays_while_more_is_written),
        cmocka_unit_test(random_writes_and_sends_agree_with_the_model),
    };

    seed = unit_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
