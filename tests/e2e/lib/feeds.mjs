// What a writer's feeds hold: the truthful model beside the server in the kill test.
//
// Ops: { kind: 'add', key, id, value }, 'share' (an add to the feed that all writers share),
// 'xdel' { key, id }, 'trim' { key, length }, 'del' { key }, 'rename' and 'copy' { key, to }, 'multi'
// { ops }, which happen together. The id of an add with '*' is null until a reply or the feed itself
// tells it.

export const SHARED = 'shared';

export class Feeds {
    constructor() {
        this.feeds = new Map();  // key -> { entries: [{ id, value }], lastId }
        this.shared = 0;         // adds to the shared feed
    }

    clone() {
        const copy = new Feeds();
        for (const [key, feed] of this.feeds) copy.feeds.set(key, cloneFeed(feed));
        copy.shared = this.shared;
        return copy;
    }

    apply(op) {
        switch (op.kind) {
        case 'add': return this.add(op);
        case 'share': this.shared++; return;
        case 'xdel': return this.remove(op);
        case 'trim': return this.trim(op);
        case 'del': this.feeds.delete(op.key); return;
        case 'rename': return this.rename(op);
        case 'multi': op.ops.forEach((each) => this.apply(each)); return;
        case 'copy': this.feeds.set(op.to, cloneFeed(this.feeds.get(op.key))); return;
        default: throw new Error(op.kind);
        }
    }

    add({ key, id, value }) {
        const feed = this.feeds.get(key) ?? { entries: [], lastId: '0-0' };
        const known = id === '*' ? null : id;
        feed.entries.push({ id: known, value });
        feed.lastId = known;
        this.feeds.set(key, feed);
    }

    remove({ key, id }) {
        const feed = this.feeds.get(key);
        feed.entries = feed.entries.filter((entry) => entry.id !== id);
    }

    trim({ key, length }) {
        const { entries } = this.feeds.get(key);
        entries.splice(0, Math.max(0, entries.length - length));
    }

    rename({ key, to }) {
        const feed = this.feeds.get(key);
        this.feeds.delete(key);
        this.feeds.set(to, feed);
    }

    // True when `seen` (Map of key -> { entries, lastId }) can be these feeds: unknown ids match
    // any id that keeps the order.
    matches(seen) {
        if (seen.size !== this.feeds.size) return false;
        for (const [key, feed] of this.feeds) {
            const other = seen.get(key);
            if (!other || !feedMatches(feed, other)) return false;
        }
        return true;
    }

    // Takes over ids that were unknown.
    adopt(seen) {
        this.feeds = new Map([...seen].map(([key, feed]) => [key, cloneFeed(feed)]));
    }
}

function cloneFeed(feed) {
    return { entries: feed.entries.map((entry) => ({ ...entry })), lastId: feed.lastId };
}

function feedMatches(feed, seen) {
    if (feed.lastId !== null && feed.lastId !== seen.lastId) return false;
    if (feed.entries.length !== seen.entries.length) return false;
    let last = '0-0';
    return feed.entries.every(({ id, value }, i) => {
        const entry = seen.entries[i];
        const ordered = idBefore(last, entry.id);
        last = entry.id;
        return ordered && entry.value === value && (id === null || id === entry.id);
    }) && (last === seen.lastId || idBefore(last, seen.lastId));
}

export function idBefore(left, right) {
    const [leftMs, leftSequence] = left.split('-').map(BigInt);
    const [rightMs, rightSequence] = right.split('-').map(BigInt);
    return leftMs < rightMs || (leftMs === rightMs && leftSequence < rightSequence);
}
