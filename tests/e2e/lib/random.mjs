// Seeded random numbers, so that a failing run can be run again: WEIR_SEED overrides the seed.

export function seedOfRun(test) {
    const seed = process.env.WEIR_SEED
        ? Number(process.env.WEIR_SEED) >>> 0
        : (Math.random() * 0x100000000) >>> 0;
    test.diagnostic(`WEIR_SEED=${seed}`);
    return seed;
}

// sfc32, seeded by one 32-bit number.
export class Random {
    constructor(seed) {
        this.seed = seed >>> 0;
        this.state = [0x9e3779b9, 0x243f6a88, this.seed, 1];
        for (let i = 0; i < 16; i++) this.u32();
    }

    u32() {
        const s = this.state;
        const result = (s[0] + s[1] + s[3]) | 0;
        s[3] = (s[3] + 1) | 0;
        s[0] = s[1] ^ (s[1] >>> 9);
        s[1] = (s[2] + (s[2] << 3)) | 0;
        s[2] = ((s[2] << 21) | (s[2] >>> 11)) + result;
        return result >>> 0;
    }

    // 0 <= result < n
    below(n) {
        return Math.floor((this.u32() / 0x100000000) * n);
    }

    between(low, high) {
        return low + this.below(high - low + 1);
    }

    chance(probability) {
        return this.u32() / 0x100000000 < probability;
    }

    pick(list) {
        return list[this.below(list.length)];
    }

    // rows: [[weight, value], ...]
    weighted(rows) {
        let total = 0;
        for (const [weight] of rows) total += weight;
        let at = this.below(total);
        for (const [weight, value] of rows) {
            at -= weight;
            if (at < 0) return value;
        }
        throw new Error('weights changed');
    }

    // `length` bytes, as a latin1 string.
    bytes(length) {
        let text = '';
        for (let i = 0; i < length; i++) text += String.fromCharCode(this.below(256));
        return text;
    }
}
