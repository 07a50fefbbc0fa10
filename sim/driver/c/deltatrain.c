#include "deltatrain.h"

#include "deltatrain_registers.h"

#define BUFFER_BYTES 256u
#define WORD_BYTES 4u

#define TRY(operation)                                       \
    do {                                                     \
        enum deltatrain_result result_ = (operation);        \
        if (result_ != DELTATRAIN_OK) return result_;        \
    } while (0)

/* --- the bus */

static enum deltatrain_result read_register(const struct deltatrain *machine, uint32_t address, uint32_t *value)
{
    return machine->bus.read32(machine->bus.context, address, value) ? DELTATRAIN_BUS : DELTATRAIN_OK;
}

static enum deltatrain_result write_register(const struct deltatrain *machine, uint32_t address, uint32_t value)
{
    return machine->bus.write32(machine->bus.context, address, value) ? DELTATRAIN_BUS : DELTATRAIN_OK;
}

static enum deltatrain_result read_memory(
    const struct deltatrain *machine, uint32_t offset, uint8_t *bytes, uint32_t count)
{
    const struct deltatrain_bus *bus = &machine->bus;
    return bus->read_bytes(bus->context, machine->memory + offset, bytes, count) ? DELTATRAIN_BUS : DELTATRAIN_OK;
}

static enum deltatrain_result write_memory(
    const struct deltatrain *machine, uint32_t offset, const uint8_t *bytes, uint32_t count)
{
    const struct deltatrain_bus *bus = &machine->bus;
    return bus->write_bytes(bus->context, machine->memory + offset, bytes, count) ? DELTATRAIN_BUS : DELTATRAIN_OK;
}

/* --- values, one after the other, through a buffer */

struct values {
    const struct deltatrain *machine;
    uint32_t offset; /* of the buffer's first byte */
    uint32_t used;   /* bytes of the buffer */
    uint32_t left;   /* bytes in memory from `offset` on, where values are read */
    uint8_t bytes[BUFFER_BYTES];
};

static enum deltatrain_result flush(struct values *values)
{
    TRY(write_memory(values->machine, values->offset, values->bytes, values->used));
    values->offset += values->used;
    values->used = 0;
    return DELTATRAIN_OK;
}

static enum deltatrain_result put(struct values *values, int32_t value, uint32_t value_bytes)
{
    uint32_t number;
    if (values->used + value_bytes > BUFFER_BYTES) TRY(flush(values));
    for (number = 0; number < value_bytes; number++) {
        values->bytes[values->used++] = (uint8_t)(number < 4 ? (uint32_t)value >> (8 * number) : value < 0 ? 0xff : 0);
    }
    return DELTATRAIN_OK;
}

static enum deltatrain_result get(struct values *values, int32_t *value, uint32_t value_bytes)
{
    uint32_t number, found = 0;
    if (values->used + value_bytes > BUFFER_BYTES || values->used == 0) {
        uint32_t count;
        values->offset += values->used;
        values->left -= values->used;
        count = values->left < BUFFER_BYTES ? values->left : BUFFER_BYTES - BUFFER_BYTES % value_bytes;
        TRY(read_memory(values->machine, values->offset, values->bytes, count));
        values->used = 0;
    }
    for (number = 0; number < value_bytes && number < 4; number++) {
        found |= (uint32_t)values->bytes[values->used + number] << (8 * number);
    }
    if (value_bytes < 4 && found >> (8 * value_bytes - 1)) found |= UINT32_MAX << (8 * value_bytes);
    values->used += value_bytes;
    *value = found <= INT32_MAX ? (int32_t)found : -(int32_t)(UINT32_MAX - found) - 1;
    return DELTATRAIN_OK;
}

static enum deltatrain_result write_matrix(
    const struct deltatrain *machine, const struct deltatrain_matrix *matrix, const int32_t *elements)
{
    struct values values = {machine, matrix->offset, 0, 0, {0}};
    uint32_t column, at;
    for (column = 0; column < matrix->columns; column++) {
        for (at = 0; at < matrix->column_values; at++) {
            uint32_t row = matrix->row_at[at];
            int32_t value = row == DELTATRAIN_PADDING ? 0 : elements[row * matrix->columns + column];
            TRY(put(&values, value, matrix->value_bytes));
        }
    }
    return flush(&values);
}

static enum deltatrain_result read_matrix(
    const struct deltatrain *machine, const struct deltatrain_matrix *matrix, int32_t *elements)
{
    uint32_t size = matrix->columns * matrix->column_values * matrix->value_bytes;
    struct values values = {machine, matrix->offset, 0, size, {0}};
    uint32_t column, at;
    for (column = 0; column < matrix->columns; column++) {
        for (at = 0; at < matrix->column_values; at++) {
            uint32_t row = matrix->row_at[at];
            int32_t value;
            TRY(get(&values, &value, matrix->value_bytes));
            if (row != DELTATRAIN_PADDING) elements[row * matrix->columns + column] = value;
        }
    }
    return DELTATRAIN_OK;
}

/* --- runs */

static enum deltatrain_result must_be_idle(const struct deltatrain *machine)
{
    uint32_t status;
    TRY(read_register(machine, DELTATRAIN_STATUS, &status));
    return status & DELTATRAIN_STATUS_IDLE_MASK ? DELTATRAIN_OK : DELTATRAIN_BUSY;
}

static enum deltatrain_result wait_until_idle(const struct deltatrain *machine, uint32_t *status)
{
    uint32_t polls;
    for (polls = 0; polls < machine->most_polls; polls++) {
        TRY(read_register(machine, DELTATRAIN_STATUS, status));
        if (*status & DELTATRAIN_STATUS_IDLE_MASK) return DELTATRAIN_OK;
    }
    return DELTATRAIN_TIMEOUT;
}

static enum deltatrain_result command(const struct deltatrain *machine, uint32_t control)
{
    uint32_t status;
    TRY(must_be_idle(machine));
    TRY(write_register(machine, DELTATRAIN_CONTROL, control));
    TRY(wait_until_idle(machine, &status));
    if (status & (DELTATRAIN_STATUS_READ_ERROR_MASK | DELTATRAIN_STATUS_WRITE_ERROR_MASK)) return DELTATRAIN_BUS;
    if (status & DELTATRAIN_STATUS_PROGRAM_ERROR_MASK) return DELTATRAIN_PROGRAM;
    if (status & DELTATRAIN_STATUS_ABORTED_MASK) return DELTATRAIN_ABORTED;
    return DELTATRAIN_OK;
}

enum deltatrain_result deltatrain_run(const struct deltatrain *machine)
{
    return command(machine, DELTATRAIN_CONTROL_START_MASK);
}

enum deltatrain_result deltatrain_abort(const struct deltatrain *machine)
{
    uint32_t status;
    TRY(read_register(machine, DELTATRAIN_STATUS, &status));
    if (status & DELTATRAIN_STATUS_IDLE_MASK) return DELTATRAIN_OK;
    TRY(write_register(machine, DELTATRAIN_CONTROL, DELTATRAIN_CONTROL_ABORT_MASK));
    return wait_until_idle(machine, &status);
}

enum deltatrain_result deltatrain_train_batch(
    const struct deltatrain *machine,
    const int32_t *const *sequences,
    const int64_t *const *wanted,
    int32_t learning_rate)
{
    uint32_t sample;
    TRY(must_be_idle(machine));
    for (sample = 0; sample < machine->program->sample_count; sample++) {
        TRY(deltatrain_send(machine, sample, sequences[sample]));
        TRY(deltatrain_set_label(machine, sample, wanted[sample]));
    }
    TRY(write_register(machine, DELTATRAIN_LEARNING_RATE, (uint32_t)learning_rate));
    return deltatrain_run(machine);
}

/* --- before a run */

enum deltatrain_result deltatrain_open(
    struct deltatrain *machine,
    const struct deltatrain_bus *bus,
    const struct deltatrain_program *program,
    uint32_t memory,
    uint32_t most_polls)
{
    const uint32_t version = DELTATRAIN_LAYOUT_VERSION << DELTATRAIN_VERSION_LAYOUT_LOW |
                             DELTATRAIN_FORMAT_VERSION << DELTATRAIN_VERSION_COMMANDS_LOW;
    uint32_t found, low, high;
    machine->bus = *bus;
    machine->program = program;
    machine->memory = memory;
    machine->most_polls = most_polls;
    TRY(read_register(machine, DELTATRAIN_VERSION, &found));
    TRY(read_register(machine, DELTATRAIN_IDENTITY_LOW, &low));
    TRY(read_register(machine, DELTATRAIN_IDENTITY_HIGH, &high));
    if (found != version || ((uint64_t)high << 32 | low) != program->identity) return DELTATRAIN_IDENTITY;
    return deltatrain_load_program(machine);
}

enum deltatrain_result deltatrain_load_program(const struct deltatrain *machine)
{
    static const uint32_t bases[DELTATRAIN_BASES] = {
        DELTATRAIN_WEIGHTS_BASE, DELTATRAIN_GRADIENTS_BASE, DELTATRAIN_TAPE_BASE, DELTATRAIN_INPUTS_BASE};
    const struct deltatrain_program *program = machine->program;
    uint32_t number;
    TRY(must_be_idle(machine));
    TRY(write_memory(machine, program->commands_offset, program->commands, program->command_bytes));
    TRY(write_register(machine, DELTATRAIN_PROGRAM_ADDRESS, machine->memory + program->commands_offset));
    TRY(write_register(machine, DELTATRAIN_PROGRAM_BYTES, program->command_bytes));
    for (number = 0; number < DELTATRAIN_BASES; number++) {
        TRY(write_register(machine, bases[number], machine->memory + program->bases[number]));
    }
    for (number = 0; number < DELTATRAIN_UNITS; number++) {
        TRY(write_register(machine, DELTATRAIN_FINISHES_ENCODER + WORD_BYTES * number, program->finishes[number]));
    }
    for (number = 0; number < program->threshold_count; number++) {
        TRY(deltatrain_set_threshold(machine, number, program->thresholds[number]));
    }
    return DELTATRAIN_OK;
}

enum deltatrain_result deltatrain_set_threshold(const struct deltatrain *machine, uint32_t number, uint32_t least)
{
    return write_register(machine, DELTATRAIN_THRESHOLD_0 + WORD_BYTES * number, least);
}

enum deltatrain_result deltatrain_load_weights(const struct deltatrain *machine, const int32_t *const *weights)
{
    const struct deltatrain_program *program = machine->program;
    uint32_t number;
    TRY(must_be_idle(machine));
    for (number = 0; number < program->matrix_count; number++) {
        TRY(write_matrix(machine, &program->weights[number], weights[number]));
    }
    if (program->weights_local) TRY(command(machine, DELTATRAIN_CONTROL_LOAD_WEIGHTS_MASK));
    return deltatrain_clear_gradients(machine);
}

enum deltatrain_result deltatrain_clear_gradients(const struct deltatrain *machine)
{
    const struct deltatrain_program *program = machine->program;
    struct values values = {machine, program->gradients_offset, 0, 0, {0}};
    uint32_t number;
    TRY(must_be_idle(machine));
    if (program->gradients_local) return command(machine, DELTATRAIN_CONTROL_CLEAR_GRADIENTS_MASK);
    for (number = 0; number < program->gradients_bytes; number++) {
        TRY(put(&values, 0, 1));
    }
    return flush(&values);
}

enum deltatrain_result deltatrain_send(const struct deltatrain *machine, uint32_t sample, const int32_t *sequence)
{
    const struct deltatrain_program *program = machine->program;
    uint32_t step, number;
    for (step = 0; step < program->samples[sample].steps; step++) {
        struct values values = {machine, program->samples[sample].vectors[step], 0, 0, {0}};
        for (number = 0; number < program->vector_values; number++) {
            TRY(put(&values, *sequence++, program->vector_value_bytes));
        }
        TRY(flush(&values));
    }
    return DELTATRAIN_OK;
}

/* Write some bits of the program, which is in memory. */
static enum deltatrain_result put_target(
    const struct deltatrain *machine, const struct deltatrain_target *target, int64_t value)
{
    uint32_t first = target->bit / 8, number = 0, count = (target->bit + target->bits - 1) / 8 - first + 1;
    uint8_t bytes[9];
    TRY(read_memory(machine, machine->program->commands_offset + first, bytes, count));
    for (number = 0; number < target->bits; number++) {
        uint32_t at = target->bit % 8 + number;
        uint8_t mask = (uint8_t)(1u << at % 8), bit = (uint8_t)((uint64_t)value >> number & 1);
        bytes[at / 8] = (uint8_t)((bytes[at / 8] & ~mask) | (bit ? mask : 0));
    }
    return write_memory(machine, machine->program->commands_offset + first, bytes, count);
}

enum deltatrain_result deltatrain_set_label(const struct deltatrain *machine, uint32_t sample, const int64_t *wanted)
{
    const struct deltatrain_sample *of = &machine->program->samples[sample];
    uint32_t number;
    for (number = 0; number < of->target_count; number++) {
        TRY(put_target(machine, &of->targets[number], wanted[number]));
    }
    return DELTATRAIN_OK;
}

/* --- after a run */

enum deltatrain_result deltatrain_read_weights(const struct deltatrain *machine, int32_t *const *weights)
{
    const struct deltatrain_program *program = machine->program;
    uint32_t number;
    if (program->weights_local) TRY(command(machine, DELTATRAIN_CONTROL_SAVE_WEIGHTS_MASK));
    for (number = 0; number < program->matrix_count; number++) {
        TRY(read_matrix(machine, &program->weights[number], weights[number]));
    }
    return DELTATRAIN_OK;
}

enum deltatrain_result deltatrain_read_gradients(const struct deltatrain *machine, int32_t *const *gradients)
{
    const struct deltatrain_program *program = machine->program;
    uint32_t number;
    if (program->gradients_local) TRY(command(machine, DELTATRAIN_CONTROL_SAVE_GRADIENTS_MASK));
    for (number = 0; number < program->matrix_count; number++) {
        TRY(read_matrix(machine, &program->gradients[number], gradients[number]));
    }
    return DELTATRAIN_OK;
}

enum deltatrain_result deltatrain_counter(const struct deltatrain *machine, uint32_t low, uint64_t *count)
{
    uint32_t before, least, after;
    TRY(read_register(machine, low + WORD_BYTES, &after));
    do {
        before = after;
        TRY(read_register(machine, low, &least));
        TRY(read_register(machine, low + WORD_BYTES, &after));
    } while (before != after);
    *count = (uint64_t)after << 32 | least;
    return DELTATRAIN_OK;
}
