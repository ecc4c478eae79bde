// stub
export function openCompare() {}
