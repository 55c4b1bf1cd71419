// Random commands on consumer groups, among those that change the feeds under them.
//
// Redis 7.0 makes a consumer when it gives it something, later versions when it is named: so a group
// gets all its consumers at once, and a deleted one comes back at once.

import { Generator } from './generator.mjs';

const GROUPS = ['g', 'group:2', ''];
const CONSUMERS = ['c1', 'c2', '\x00c\xff'];
const MIN_IDLES = ['0', '0', '0', '-1', '1000000000', 'x'];

export class GroupGenerator extends Generator {
    constructor(random, options = {}) {
        super(random, { keys: ['a', 'b', 'feed:{1}:x'], ...options });
        this.rows = [
            [1, () => this.burst()], [150, () => this.xadd()], [20, () => this.xdel()],
            [16, () => this.xtrim()], [2, () => this.removal()], [3, () => this.rename()],
            [4, () => this.copy()], [4, () => this.xsetid()], [60, () => this.xgroup()],
            [150, () => this.xreadgroup()], [90, () => this.xack()], [60, () => this.xpending()],
            [80, () => this.xclaim()],
            [40, () => this.xautoclaim()], [50, () => this.xinfoGroups()], [4, () => this.save()],
            ...(options.rows?.(this) ?? []),
        ];
    }

    // What names a consumer stays in its place: another name would make another consumer.
    mutate(args) {
        if (!/^(xclaim|xautoclaim|xreadgroup)$/i.test(args[0])) return super.mutate(args);
        return [...args.slice(0, 4), ...super.mutate(args.slice(3)).slice(1)];
    }

    group() {
        return this.random.chance(0.85) ? 'g' : this.random.pick([...GROUPS, 'none']);
    }

    consumer() {
        return this.random.pick(CONSUMERS);
    }

    idOrEnd(key) {
        return this.random.weighted([
            [4, () => '0'], [2, () => '$'], [4, () => this.id(key)]])();
    }

    consumers(key, group) {
        for (const name of CONSUMERS) {
            this.queue.push(() => ['XGROUP', 'CREATECONSUMER', key, group, name]);
        }
    }

    xgroup() {
        const key = this.key();
        const group = this.group();
        const head = (word) => [this.word('XGROUP'), this.word(word), key, group];
        const read = () => (this.random.chance(0.3)
            ? [this.word('ENTRIESREAD'), this.random.pick(['0', '1', '5', '9', '-1', '-2', 'x'])] : []);
        const bogus = this.random.chance(0.03) ? ['BOGUS'] : [];
        return this.random.weighted([
            [12, () => {
                this.consumers(key, group);
                const make = this.random.chance(0.8) ? [this.word('MKSTREAM')] : [];
                return [...head('CREATE'), this.idOrEnd(key), ...make, ...read(), ...bogus];
            }],
            [8, () => [...head('SETID'), this.idOrEnd(key), ...read(), ...bogus]],
            [2, () => head('DESTROY')],
            [4, () => {
                this.consumers(key, group);
                return [...head('DELCONSUMER'), this.consumer()];
            }],
            [1, () => [...head('CREATECONSUMER'), this.consumer(), ...bogus]],
            [1, () => [this.word('XGROUP'), this.random.pick(['HELP', 'BOGUS', 'CREATE'])]],
        ])();
    }

    xreadgroup() {
        const keys = Array.from({ length: this.random.chance(0.8) ? 1 : 2 }, () => this.key());
        const ids = keys.map((key) => this.random.weighted(
            [[8, () => '>'], [3, () => '0'], [2, () => this.id(key)], [0.2, () => '$']])());
        const args = [this.word('XREADGROUP'), this.word('GROUP'), this.group(), this.consumer()];
        if (this.random.chance(0.6)) args.push(this.word('COUNT'), this.count());
        if (this.random.chance(0.15)) args.push(this.word('NOACK'));
        if (this.random.chance(0.03)) args.push('BLOCK', String(this.random.between(1, 8)));
        return [...args, this.word('STREAMS'), ...keys, ...ids];
    }

    someIds(key) {
        return Array.from({ length: this.random.between(1, 6) }, () => this.id(key));
    }

    xack() {
        const key = this.key();
        return [this.word('XACK'), key, this.group(), ...this.someIds(key)];
    }

    xpending() {
        const key = this.key();
        const args = [this.word('XPENDING'), key, this.group()];
        if (this.random.chance(0.3)) return args;
        if (this.random.chance(0.4)) {
            args.push(this.word('IDLE'), this.random.pick(MIN_IDLES));
        }
        const whole = this.random.chance(0.5);
        args.push(...(whole ? ['-', '+'] : [this.bound(key), this.bound(key)]), this.count());
        if (this.random.chance(0.4)) args.push(this.consumer());
        return args;
    }

    xclaim() {
        const key = this.key();
        const args = [this.word('XCLAIM'), key, this.group(), this.consumer(),
            this.random.pick(MIN_IDLES), ...this.someIds(key)];
        const options = [['IDLE', '5'], ['TIME', '5000'], ['RETRYCOUNT', '7'], ['FORCE'],
            ['JUSTID'], ['LASTID', this.id(key)], ['BOGUS'], ['IDLE', 'x'], ['RETRYCOUNT', '-1']];
        while (this.random.chance(0.4)) {
            const option = this.random.pick(options);
            if (option[0] !== 'BOGUS' || this.random.chance(0.2)) args.push(...option);
        }
        return args;
    }

    xautoclaim() {
        const key = this.key();
        const args = [this.word('XAUTOCLAIM'), key, this.group(), this.consumer(),
            this.random.pick(MIN_IDLES), this.random.chance(0.5) ? '0' : this.bound(key)];
        if (this.random.chance(0.6)) args.push(this.word('COUNT'), this.count());
        if (this.random.chance(0.3)) args.push(this.word('JUSTID'));
        return args;
    }

    xinfoGroups() {
        const key = this.key();
        return this.random.weighted([
            [3, () => [this.word('XINFO'), 'GROUPS', key]],
            [3, () => [this.word('XINFO'), 'CONSUMERS', key, this.group()]],
            [2, () => ['XINFO', 'STREAM', key]],
            [2, () => ['XINFO', 'STREAM', key, 'FULL',
                ...(this.random.chance(0.6) ? ['COUNT', this.count()] : [])]],
        ])();
    }

    save() {
        return ['SAVE'];
    }
}
