/* Redis's matcher has corners that patterns in the field may rest on, and this one keeps them:
 *
 * - An empty text matches the empty pattern only, not even "*".
 * - A `[` without its `]` ends with the pattern: "[ab" is "[ab]", "[^" is any byte.
 * - A range may be reversed, and may swallow the `]`: "[a-]" is an open set with the range
 *   from `]` to `a`. The order of its ends is looked at before their case is.
 * - Ranges compare bytes as the machine's plain char does.
 * - An escaped byte in a set keeps its case even where case does not matter.
 * - A `\` at the pattern's end stands for itself. */
#include "base/glob.h"

static int fold_case(char c, bool nocase)
{
    return nocase && c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

static bool same(char a, char b, bool nocase)
{
    return fold_case(a, nocase) == fold_case(b, nocase);
}

static bool range_has(char from, char to, char c, bool nocase)
{
    bool reversed = from > to;
    int low = fold_case(reversed ? to : from, nocase);
    int high = fold_case(reversed ? from : to, nocase);
    int folded = fold_case(c, nocase);
    return low <= folded && folded <= high;
}

/* Matches `c` with the set whose `[` is before *at, and moves *at past the set. */
static bool set_has(struct bytes pattern, size_t *at, char c, bool nocase)
{
    const char *set = pattern.data;
    size_t i = *at;
    bool inverted = i < pattern.len && set[i] == '^';
    if (inverted)
        i++;
    bool found = false;
    while (i < pattern.len && set[i] != ']') {
        size_t left = pattern.len - i;
        if (set[i] == '\\' && left >= 2) {
            found |= set[i + 1] == c;
            i += 2;
        } else if (left >= 3 && set[i + 1] == '-') {
            found |= range_has(set[i], set[i + 2], c, nocase);
            i += 3;
        } else {
            found |= same(set[i], c, nocase);
            i++;
        }
    }
    *at = i < pattern.len ? i + 1 : i;
    return found != inverted;
}

/* Matches one byte with the pattern's item at *at, which is not a `*`, and moves *at past it. */
static bool item_has(struct bytes pattern, size_t *at, char c, bool nocase)
{
    char item = pattern.data[(*at)++];
    if (item == '?')
        return true;
    if (item == '[')
        return set_has(pattern, at, c, nocase);
    if (item == '\\' && *at < pattern.len)
        item = pattern.data[(*at)++];
    return same(item, c, nocase);
}

static size_t skip_stars(struct bytes pattern, size_t at)
{
    while (at < pattern.len && pattern.data[at] == '*')
        at++;
    return at;
}

bool glob_match(struct bytes pattern, struct bytes text, bool nocase)
{
    if (text.len == 0)
        return pattern.len == 0;

    bool starred = false;
    size_t after_star = 0; /* in the pattern */
    size_t retry = 0;      /* in the text: where what follows the star is tried next */
    size_t p = 0;
    size_t t = 0;
    while (t < text.len) {
        if (p < pattern.len && pattern.data[p] == '*') {
            p = skip_stars(pattern, p);
            if (p == pattern.len)
                return true;
            starred = true;
            after_star = p;
            retry = t + 1;
        } else if (p < pattern.len && item_has(pattern, &p, text.data[t], nocase)) {
            t++;
        } else if (starred) {
            p = after_star;
            t = retry++;
        } else {
            return false;
        }
    }
    return skip_stars(pattern, p) == pattern.len;
}

bool glob_matches_all(struct bytes pattern)
{
    return bytes_equal(pattern, BYTES("*"));
}
