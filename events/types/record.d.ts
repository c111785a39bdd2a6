// Made by `make types` from ../schemas/record.schema.json. Change the schema, not this file.

/** The state of one message. Its text is not stored. */
export interface MessageRecord {
  record_type: "message";
  /** The reference. */
  pk: string;
  sk: "MESSAGE";
  /**
   * On its way: SENDING, UNCERTAIN, ACCEPTED, then a status of GatewayAPI, which may add new ones:
   * ENROUTE and UNKNOWN, DELIVERED, EXPIRED, DELETED, UNDELIVERABLE and REJECTED (final), READ. Not
   * sent: RETRYING (not sent yet), INVALID, LAPSED (it expired in the queue), SUPPRESSED (the
   * person opted out), HELD (in the dead-letter queue, or held back by SendMode).
   */
  status: string;
  /** When it was put on the queue. */
  queued_at: string;
  /** When this record was last written. */
  updated_at: string;
  /** The id of the SQS message that wrote the record last. */
  message_id: string;
  /** How often the sender tried to send it. */
  attempts: number;
  /** When DynamoDB's TTL may delete the record, in seconds since 1970. */
  expires_at: number;
  /** A hash of the content: SHA-256 of reference, text, recipient, sender, priority and label. */
  fingerprint?: string;
  recipient?: number;
  /**
   * A phone number in digits, with its country code: the partition key of the index
   * by_phone_number.
   */
  phone_number?: string;
  /** The same as queued_at: the sort key of the index by_phone_number. */
  recorded_at?: string;
  sender?: string;
  label?: string;
  priority?: "normal" | "urgent";
  message_type?: "transactional" | "promotional";
  /** The message's context, as the producer gave it. */
  context?: string;
  /** How many SMS segments the text takes. */
  segments?: number;
  /** The encoding of the text. */
  encoding?: "GSM-7" | "UCS-2";
  /** GatewayAPI's id of the message, a ULID. */
  msg_id?: string;
  /** When GatewayAPI's acceptance arrived. */
  accepted_at?: string;
  /**
   * When GatewayAPI reports that the status was reached. Of a HELD message: since when it is held.
   */
  status_at?: string;
  /**
   * Present while the status is SENDING. Until then, the invocation that sends the message can
   * still be running.
   */
  lease_until?: string;
  /** Present while it is unknown whether GatewayAPI accepted the message. */
  in_doubt?: true;
  /** The last moment at which the request with the unknown result can have been under way. */
  doubt_until?: string;
  /** The message was sent a second time while in_doubt was true. */
  resent?: true;
  /** When the personal data of the record was removed. */
  forgotten_at?: string;
  /**
   * Why the message was not sent or not delivered. If the message went to the dead-letter queue,
   * code is its ErrorCode. For RETRYING it is UNREACHABLE, TRY_LATER, TOKEN_REFUSED or
   * TOKEN_UNREADABLE; for SUPPRESSED it is OPTED_OUT; if SendMode held the message back, it is
   * DRY_RUN. For an error of GatewayAPI it is the hex_code, or PROVIDER if there is none.
   */
  error?: { code: string; details?: unknown };
}

/** One webhook as it was received. */
export interface EventRecord {
  record_type: "event";
  /** The reference, or the msg_id if the event has no reference. */
  pk: string;
  /** EVENT# and the event_id. */
  sk: string;
  event_id: string;
  /**
   * message.status.sms, message.status.rcs, user-message.text.sms, user-message.text.rcs,
   * user-message.location.rcs, user-message.file.rcs, or a type that GatewayAPI added later.
   */
  event_type: string;
  /** When GatewayAPI made the event. */
  timestamp: string;
  /** When the stack received the event. */
  received_at: string;
  /** When DynamoDB's TTL may delete the record, in seconds since 1970. */
  expires_at: number;
  /** The body of the webhook, unchanged. Absent after the person was forgotten. */
  body?: string;
  /** The Signature header of the webhook. Absent after the person was forgotten. */
  signature?: string;
  /** GatewayAPI's id of the message. */
  msg_id?: string;
  /** The message's reference. */
  reference?: string;
  /** Present if no message record of the stack leads to the event. */
  phone_number?: string;
  /**
   * The same as received_at, and present with phone_number: the sort key of the index
   * by_phone_number.
   */
  recorded_at?: string;
  /** Of a status event: the status as it was received, listed above or not. */
  status?: string;
  /** Of a status event: when the status was reached. */
  status_at?: string;
  /**
   * Of a status event: hex_code and details, or any object for RCS. Absent if the body is over 100
   * KiB: read it from there.
   */
  error?: { [name: string]: unknown };
  /** Of a status event. */
  recipient?: number | string;
  /** Of an inbound message: the person's phone number. */
  sender?: number | string;
  /**
   * Of an inbound message, by event_type: {message, encoding, header}; a string; {latitude,
   * longitude}; {category, thumbnail, payload}. Absent if the body is over 100 KiB: read it from
   * there.
   */
  content?: unknown;
}

/** A body with a valid signature that cannot be read as an event. */
export interface QuarantineRecord {
  record_type: "quarantine";
  pk: "QUARANTINE";
  /** EVENT# and the body's SHA-256. */
  sk: string;
  /** The body: text, or base64 if it is not UTF-8. */
  body: string;
  /** The Signature header of the webhook. */
  signature: string;
  /** Why the body cannot be read. */
  reason: string;
  /** When the stack received it. */
  received_at: string;
  /** When DynamoDB's TTL may delete the record, in seconds since 1970. */
  expires_at: number;
}

/** Whether a person wants promotional messages. The record has no TTL. */
export interface OptOutRecord {
  record_type: "opt_out";
  /** OPT_OUT# and the phone number in digits. */
  pk: string;
  sk: "OPT_OUT";
  /** OUT after an opt-out, IN after an opt-in. */
  status: "OUT" | "IN";
  /** When the person opted out or in. */
  changed_at: string;
  /** The event_id of the inbound text, or the name of the program that wrote the record. */
  source: string;
}

/**
 * An item as plain JSON, without DynamoDB's types; bytes are base64. Read record_type first. New
 * record types and new attributes appear without notice: ignore those that you do not know. Ignore
 * a record that the table's TTL deleted (in the stream, userIdentity.principalId is
 * dynamodb.amazonaws.com).
 */
export type TableRecord = MessageRecord | EventRecord | QuarantineRecord | OptOutRecord;
