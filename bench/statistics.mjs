// Of a few numbers, one for each round.

export function median(values) {
    const sorted = [...values].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// { median, low, high }, or null when there are none.
export function spread(values) {
    const known = values.filter((value) => Number.isFinite(value));
    if (known.length === 0) return null;
    return { median: median(known), low: Math.min(...known), high: Math.max(...known) };
}
