// Made by `make types` from ../schemas/message.schema.json. Change the schema, not this file.

/**
 * The body of a message on the queue: one SMS to send. If a field appears twice, the last one
 * counts. A body that breaks a rule goes to the dead-letter queue with an ErrorCode, and with an
 * ErrorMessage that names every mistake. An escape of half a surrogate pair is refused in every
 * string.
 */
export interface QueueMessage {
  /**
   * The text. The length counts characters, not bytes. A stack's parameter MaxSegments limits the
   * number of SMS segments. No control characters other than tab, line feed and carriage return.
   */
  message: string;
  /**
   * The phone number with its country code: an integer, or a string of digits that may begin with +
   * and have single spaces or hyphens between digits. A stack's parameter AllowedPrefixes can limit
   * which numbers are allowed.
   */
  recipient: number | string;
  /**
   * What the phone shows as sender: 3 to 11 characters, or 3 to 15 digits. Required unless the
   * stack has a DefaultSender. No control characters other than tab, line feed and carriage return.
   */
  sender?: string;
  /**
   * The idempotency key: messages with the same reference and the same content are sent once. It is
   * also the key of the message's record, and is part of its status events. If it is null or
   * absent, the SQS message id is used. No control characters.
   */
  reference?: string | null;
  /**
   * How long the message is worth sending, counted from when it was put on the queue, and at most 5
   * days. One of: an ISO 8601 duration of weeks, days, hours, minutes and seconds; a date and time
   * that exists, in UTC if it has no offset; a number, or a string with a number, which is seconds
   * up to 432000 and a unix time above that. A message that expires in the queue is not sent, and
   * is recorded as LAPSED.
   */
  expiration?: number | string;
  /**
   * Passed to GatewayAPI, where urgent can cost more. It does not change the order in our queue. To
   * skip the line, use the urgent queue.
   */
  priority?: "normal" | "urgent";
  /**
   * For GatewayAPI's statistics. No control characters other than tab, line feed and carriage
   * return.
   */
  label?: string | null;
  /**
   * Whether people who opted out still get the message: transactional messages are sent to them,
   * promotional ones are not. Required where the stack's parameter OptOuts is Enforce. Not sent to
   * GatewayAPI.
   */
  message_type?: "transactional" | "promotional" | null;
  /**
   * Any text of yours, such as a trace id or a tenant. It is stored with the message and appears in
   * the stream. Not sent to GatewayAPI. No control characters other than tab, line feed and
   * carriage return.
   */
  context?: string | null;
}
