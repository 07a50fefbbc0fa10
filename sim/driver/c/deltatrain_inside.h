/* What the files of the driver share, and nobody else needs. */
#ifndef DELTATRAIN_INSIDE_H
#define DELTATRAIN_INSIDE_H

#include "deltatrain.h"

#define DELTATRAIN_BUFFER_BYTES 256u
#define DELTATRAIN_WORD_BYTES 4u

#define TRY(operation)                                       \
    do {                                                     \
        enum deltatrain_result result_ = (operation);        \
        if (result_ != DELTATRAIN_OK) return result_;        \
    } while (0)

/* Refuse what the program does not take, before anything is written. */
#define MUST(holds)                                 \
    do {                                            \
        if (!(holds)) return DELTATRAIN_ARGUMENT;   \
    } while (0)

/* --- deltatrain_access.c */

enum deltatrain_result deltatrain_read_register(const struct deltatrain *machine, uint32_t address, uint32_t *value);
enum deltatrain_result deltatrain_write_register(const struct deltatrain *machine, uint32_t address, uint32_t value);
enum deltatrain_result deltatrain_read_memory(
    const struct deltatrain *machine, uint32_t offset, uint8_t *bytes, uint32_t count);
enum deltatrain_result deltatrain_write_memory(
    const struct deltatrain *machine, uint32_t offset, const uint8_t *bytes, uint32_t count);

/* Values in memory, one after the other, through a buffer. */
struct deltatrain_values {
    const struct deltatrain *machine;
    uint32_t offset; /* of the buffer's first byte */
    uint32_t used;   /* bytes of the buffer */
    uint32_t left;   /* bytes in memory from `offset` on, where values are read */
    uint8_t bytes[DELTATRAIN_BUFFER_BYTES];
};

/* Write a value, and at the end what is still in the buffer; read a value. */
enum deltatrain_result deltatrain_put(struct deltatrain_values *values, int32_t value, uint32_t value_bytes);
enum deltatrain_result deltatrain_flush(struct deltatrain_values *values);
enum deltatrain_result deltatrain_get(struct deltatrain_values *values, int32_t *value, uint32_t value_bytes);

/* Whether the numbers are `count`, and each from `lowest` to `highest`. */
int deltatrain_are_within(struct deltatrain_numbers numbers, uint32_t count, int32_t lowest, int32_t highest);

/* --- deltatrain_samples.c: whether the program takes these */

int deltatrain_takes_sequence(
    const struct deltatrain_program *program, uint32_t sample, struct deltatrain_numbers sequence);
int deltatrain_takes_label(const struct deltatrain_program *program, uint32_t sample, struct deltatrain_label label);

/* --- deltatrain_run.c */

enum deltatrain_result deltatrain_must_be_idle(const struct deltatrain *machine);
enum deltatrain_result deltatrain_wait_until_idle(const struct deltatrain *machine, uint32_t *status);

/* What a status says of the last run. */
enum deltatrain_result deltatrain_how_it_ended(uint32_t status);

/* Command what `control` says, and wait for its end. */
enum deltatrain_result deltatrain_command(const struct deltatrain *machine, uint32_t control);

#endif
