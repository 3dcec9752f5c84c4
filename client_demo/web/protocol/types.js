/**
 * The shapes of the wire, as this page uses them. Types only: nothing here runs.
 *
 * @typedef {Record<string, any>} Fields A JSON map.
 *
 * @typedef {object} Profile A member as lists show them.
 * @property {string} member
 * @property {string} name
 * @property {string} [headline]
 * @property {string} [avatar] A URL; empty for none.
 *
 * @typedef {object} Participant
 * @property {string} member
 * @property {string} name
 * @property {string} [role] "participant", "manager" or "viewer".
 * @property {number} [shown] They have seen messages up to this seq; only if both switches are on.
 *
 * @typedef {object} Reaction
 * @property {string} emoji
 * @property {string[]} [members]
 * @property {number} [count] Instead of `members`, above 50 participants.
 *
 * @typedef {object} Message A message, or with `deleted_at` its tombstone, which has no body.
 * @property {string} conversation
 * @property {string} message
 * @property {number} seq
 * @property {string} sender
 * @property {number} sent_at Unix milliseconds, as all times.
 * @property {number} rev Counts the message's changes.
 * @property {string} [kind]
 * @property {string} [body]
 * @property {string} [client_id]
 * @property {number} [edited_at]
 * @property {number} [deleted_at]
 * @property {string} [subject]
 * @property {string} [reply_to] The message of this conversation that it answers.
 * @property {string[]} [mentions] Members.
 * @property {Reaction[]} [reactions]
 *
 * @typedef {Record<string, number>} At Positions by topic.
 *
 * @typedef {object} Conversation
 * @property {string} id
 * @property {"one_to_one" | "several" | "group"} kind
 * @property {string} [title]
 * @property {Participant[]} participants
 * @property {number} [participant_count]
 * @property {Message | null} [last]
 * @property {number} seq
 * @property {number} read
 * @property {number} unread
 * @property {"open" | "request" | "closed"} state
 * @property {boolean} [muted]
 * @property {boolean} [starred]
 * @property {boolean} [unread_mark] Marked unread by hand.
 * @property {boolean} [reported]
 * @property {number} [archived_seq] Archived while this is the last message.
 * @property {number} [cleared_seq] Messages up to here are gone for oneself.
 * @property {string} [draft]
 * @property {At} [at]
 *
 * @typedef {object} Invitation
 * @property {string} invitation
 * @property {string} from
 * @property {string} to
 * @property {string} [note]
 * @property {number} sent_at
 *
 * @typedef {object} Settings
 * @property {boolean} receipts Read receipts and typing indicators, given and got.
 * @property {boolean} [active_status] Whether connections see that one is there, and one sees them.
 * @property {boolean} [inmail] Whether one takes InMail.
 * @property {boolean} [open_profile] Whether anybody may write, free; with a plan only.
 *
 * @typedef {object} Way One of the ways that may lead to a member.
 * @property {string} kind "direct", "open_profile", "group" or "inmail".
 * @property {boolean} allowed
 * @property {number} cost In credits.
 * @property {string[]} needs What would open it: "connect", "wait", "upgrade", "buy credits".
 *
 * @typedef {object} Group One that oneself is in.
 * @property {string} group
 * @property {string} name
 * @property {"owner" | "manager" | "member"} role
 * @property {number} size
 *
 * @typedef {object} LedgerEntry
 * @property {number} at_ms
 * @property {number} change In credits, up or down.
 * @property {string} reason
 * @property {number} [expires_at]
 *
 * @typedef {object} Event
 * @property {string} event Its name, e.g. "message.created".
 * @property {string} topic
 * @property {number} [pos] Its position in the topic; a signal has none.
 * @property {Fields} data
 *
 * @typedef {object} WireError
 * @property {string} code
 * @property {string} message
 * @property {boolean} retryable
 * @property {number} [retry_after_ms]
 * @property {string} [field]
 * @property {string} [rule]
 * @property {number} [cost]
 * @property {number} [balance]
 *
 * @typedef {object} Welcome The result of `connect`.
 * @property {string} session
 * @property {string} member
 * @property {string} epoch
 * @property {At} topics
 * @property {string[]} reset
 * @property {number} ping_s
 * @property {number} now
 * @property {number} expires_at
 * @property {Fields} [limits]
 */

export {};
