// stub
export function openConversation() {}
export function openConversations() {}
