// stub
export function openGraph() {}
