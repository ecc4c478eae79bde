// stub
export function openLive() {}
