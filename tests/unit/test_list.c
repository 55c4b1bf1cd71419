#include "base/list.h"

#include "base/check.h"
#include "tests/unit/unit.h"

struct item {
    struct list link;
    int number;
};

static void assert_numbers(const struct list *head, const int *numbers, int count)
{
    const struct list *link = head->next;
    for (int i = 0; i < count; i++, link = link->next) {
        assert_ptr_not_equal(link, head);
        assert_ptr_equal(link->next->prev, link);
        assert_int_equal(container_of((struct list *)link, struct item, link)->number, numbers[i]);
    }
    assert_ptr_equal(link, head);
}

static void links_keep_the_order_in_which_they_came(void **state)
{
    (void)state;
    struct list head;
    list_init(&head);
    assert_true(list_empty(&head));
    struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    for (int i = 0; i < 3; i++)
        list_push_back(&head, &items[i].link);
    assert_false(list_empty(&head));
    assert_numbers(&head, (int[]){0, 1, 2}, 3);
}

static void a_link_may_be_removed_twice(void **state)
{
    (void)state;
    struct list head;
    list_init(&head);
    struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    for (int i = 0; i < 3; i++)
        list_push_back(&head, &items[i].link);
    list_remove(&items[1].link);
    list_remove(&items[1].link);
    assert_numbers(&head, (int[]){0, 2}, 2);
}

static void moving_empties_the_source(void **state)
{
    (void)state;
    struct list from;
    struct list to;
    list_init(&from);
    struct item items[2] = {{.number = 0}, {.number = 1}};
    list_move(&to, &from);
    assert_true(list_empty(&to));
    for (int i = 0; i < 2; i++)
        list_push_back(&from, &items[i].link);
    list_move(&to, &from);
    assert_true(list_empty(&from));
    assert_numbers(&to, (int[]){0, 1}, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_keep_the_order_in_which_they_came),
        cmocka_unit_test(a_link_may_be_removed_twice),
        cmocka_unit_test(moving_empties_the_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
