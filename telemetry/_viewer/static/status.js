// stub
export function openStatus() {}
