#include "deltatrain.h"

#include "deltatrain_registers.h"

#define BUFFER_BYTES 256u
#define WORD_BYTES 4u
#define ALIGNMENT_BYTES 128u
#define MOST_LEAST (UINT32_C(1) << 16) /* a difference that never fires */

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

/* --- what a program takes */

static int are_within(struct deltatrain_numbers numbers, uint32_t count, int32_t lowest, int32_t highest)
{
    uint32_t number;
    if (!numbers.values || numbers.count != count) return 0;
    for (number = 0; number < count; number++) {
        if (numbers.values[number] < lowest || numbers.values[number] > highest) return 0;
    }
    return 1;
}

static int takes_sequence(
    const struct deltatrain_program *program, uint32_t sample, struct deltatrain_numbers sequence)
{
    return sample < program->sample_count &&
           are_within(sequence, program->samples[sample].steps * program->vector_values,
                      program->vector_lowest, program->vector_highest);
}

static int takes_label(const struct deltatrain_program *program, uint32_t sample, struct deltatrain_label label)
{
    uint32_t number;
    if (sample >= program->sample_count || !label.values) return 0;
    if (label.count != program->samples[sample].target_count) return 0;
    for (number = 0; number < label.count; number++) {
        if (label.values[number] < program->label_lowest || label.values[number] > program->label_highest) return 0;
    }
    return 1;
}

/* --- matrices */

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

static enum deltatrain_result how_it_ended(uint32_t status)
{
    if (status & (DELTATRAIN_STATUS_READ_ERROR_MASK | DELTATRAIN_STATUS_WRITE_ERROR_MASK)) return DELTATRAIN_BUS;
    if (status & DELTATRAIN_STATUS_PROGRAM_ERROR_MASK) return DELTATRAIN_PROGRAM;
    if (status & DELTATRAIN_STATUS_ABORTED_MASK) return DELTATRAIN_ABORTED;
    return DELTATRAIN_OK;
}

static enum deltatrain_result command(const struct deltatrain *machine, uint32_t control)
{
    uint32_t status;
    TRY(must_be_idle(machine));
    TRY(write_register(machine, DELTATRAIN_CONTROL, control));
    TRY(wait_until_idle(machine, &status));
    return how_it_ended(status);
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
    const struct deltatrain_numbers *sequences,
    const struct deltatrain_label *labels,
    uint32_t count,
    int32_t learning_rate)
{
    const struct deltatrain_program *program = machine->program;
    uint32_t sample;
    MUST(!program->forward_alone && sequences && labels && count == program->sample_count);
    MUST(learning_rate >= program->rate_lowest && learning_rate <= program->rate_highest);
    for (sample = 0; sample < count; sample++) {
        MUST(takes_sequence(program, sample, sequences[sample]) && takes_label(program, sample, labels[sample]));
    }
    TRY(must_be_idle(machine));
    for (sample = 0; sample < count; sample++) {
        TRY(deltatrain_send(machine, sample, sequences[sample]));
        TRY(deltatrain_set_label(machine, sample, labels[sample]));
    }
    TRY(write_register(machine, DELTATRAIN_LEARNING_RATE, (uint32_t)learning_rate));
    return deltatrain_run(machine);
}

/* Read a packet of `count` results to where they go; a packet of another length is an error of the bus. */
static enum deltatrain_result read_results(const struct deltatrain *machine, int64_t *results, uint32_t count)
{
    const struct deltatrain_bus *bus = &machine->bus;
    const uint32_t bytes = machine->program->result_bytes;
    uint8_t *raw = (uint8_t *)results; /* they are no longer in the stream than here */
    uint32_t found, number = count, byte;
    if (bus->read_packet(bus->context, raw, count * bytes, &found) || found != count * bytes) return DELTATRAIN_BUS;
    while (number-- > 0) {
        uint64_t value = raw[bytes * number + bytes - 1] & 0x80 ? UINT64_MAX : 0;
        for (byte = bytes; byte-- > 0;) value = value << 8 | raw[bytes * number + byte];
        results[number] = value <= INT64_MAX ? (int64_t)value : -(int64_t)(UINT64_MAX - value) - 1;
    }
    return DELTATRAIN_OK;
}

/* Wait until more than `read` packets of results were made, or the machine is idle: tell whether they were. */
static enum deltatrain_result wait_for_packet(const struct deltatrain *machine, uint32_t read, uint32_t *is_there)
{
    uint32_t polls, status, made;
    for (polls = 0; polls < machine->most_polls; polls++) {
        TRY(read_register(machine, DELTATRAIN_STATUS, &status));
        TRY(read_register(machine, DELTATRAIN_RESULTS, &made));
        *is_there = (made & DELTATRAIN_RESULTS_MADE_MASK) >> DELTATRAIN_RESULTS_MADE_LOW > read;
        if (*is_there || status & DELTATRAIN_STATUS_IDLE_MASK) return DELTATRAIN_OK;
    }
    return DELTATRAIN_TIMEOUT;
}

static enum deltatrain_result start_and_read(const struct deltatrain *machine, int64_t *results)
{
    const struct deltatrain_program *program = machine->program;
    uint32_t packet, is_there = 1, status;
    TRY(write_register(machine, DELTATRAIN_CONTROL, DELTATRAIN_CONTROL_START_MASK));
    for (packet = 0; packet < program->packets && is_there; packet++) {
        TRY(wait_for_packet(machine, packet, &is_there));
        if (is_there) TRY(read_results(machine, results + packet * program->packet_values, program->packet_values));
    }
    TRY(wait_until_idle(machine, &status));
    TRY(how_it_ended(status));
    return is_there ? DELTATRAIN_OK : DELTATRAIN_BUS;
}

enum deltatrain_result deltatrain_infer(
    const struct deltatrain *machine, struct deltatrain_numbers sequence, struct deltatrain_results results)
{
    const struct deltatrain_program *program = machine->program;
    enum deltatrain_result result;
    uint32_t waiting;
    MUST(program->forward_alone && machine->bus.read_packet && takes_sequence(program, 0, sequence));
    MUST(results.values && results.count == program->packets * program->packet_values);
    TRY(must_be_idle(machine));
    TRY(deltatrain_send(machine, 0, sequence));
    TRY(read_register(machine, DELTATRAIN_RESULTS, &waiting));
    waiting = (waiting & DELTATRAIN_RESULTS_WAITING_MASK) >> DELTATRAIN_RESULTS_WAITING_LOW;
    while (waiting-- > 0) { /* of a run that was stopped */
        uint8_t dropped[8];
        uint32_t count;
        if (machine->bus.read_packet(machine->bus.context, dropped, sizeof dropped, &count)) return DELTATRAIN_BUS;
    }
    TRY(write_register(machine, DELTATRAIN_STREAMS, DELTATRAIN_STREAMS_RESULTS_MASK));
    result = start_and_read(machine, results.values);
    TRY(write_register(machine, DELTATRAIN_STREAMS, 0));
    return result;
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
    MUST(machine && bus && program);
    MUST(bus->read32 && bus->write32 && bus->read_bytes && bus->write_bytes);
    MUST(memory % ALIGNMENT_BYTES == 0 && program->memory_bytes - 1 <= UINT32_MAX - memory);
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
    MUST(number < machine->program->threshold_count && least <= MOST_LEAST);
    return write_register(machine, DELTATRAIN_THRESHOLD_0 + WORD_BYTES * number, least);
}

enum deltatrain_result deltatrain_load_weights(
    const struct deltatrain *machine, const struct deltatrain_numbers *weights, uint32_t count)
{
    const struct deltatrain_program *program = machine->program;
    uint32_t number;
    MUST(weights && count == program->matrix_count);
    for (number = 0; number < count; number++) {
        const struct deltatrain_matrix *matrix = &program->weights[number];
        MUST(are_within(weights[number], matrix->rows * matrix->columns, matrix->lowest, matrix->highest));
    }
    TRY(must_be_idle(machine));
    for (number = 0; number < count; number++) {
        TRY(write_matrix(machine, &program->weights[number], weights[number].values));
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

enum deltatrain_result deltatrain_send(
    const struct deltatrain *machine, uint32_t sample, struct deltatrain_numbers sequence)
{
    const struct deltatrain_program *program = machine->program;
    const int32_t *value = sequence.values;
    uint32_t step, number;
    MUST(takes_sequence(program, sample, sequence));
    for (step = 0; step < program->samples[sample].steps; step++) {
        struct values values = {machine, program->samples[sample].vectors[step], 0, 0, {0}};
        for (number = 0; number < program->vector_values; number++) {
            TRY(put(&values, *value++, program->vector_value_bytes));
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

enum deltatrain_result deltatrain_set_label(
    const struct deltatrain *machine, uint32_t sample, struct deltatrain_label label)
{
    uint32_t number;
    MUST(takes_label(machine->program, sample, label));
    for (number = 0; number < label.count; number++) {
        TRY(put_target(machine, &machine->program->samples[sample].targets[number], label.values[number]));
    }
    return DELTATRAIN_OK;
}

/* --- after a run */

static int have_room(
    const struct deltatrain_matrix *matrices, const struct deltatrain_room *rooms, uint32_t count, uint32_t wanted)
{
    uint32_t number;
    if (!rooms || count != wanted) return 0;
    for (number = 0; number < count; number++) {
        if (!rooms[number].values || rooms[number].count != matrices[number].rows * matrices[number].columns) return 0;
    }
    return 1;
}

static enum deltatrain_result read_matrices(
    const struct deltatrain *machine,
    const struct deltatrain_matrix *matrices,
    const struct deltatrain_room *rooms,
    uint32_t count)
{
    uint32_t number;
    for (number = 0; number < count; number++) TRY(read_matrix(machine, &matrices[number], rooms[number].values));
    return DELTATRAIN_OK;
}

enum deltatrain_result deltatrain_read_weights(
    const struct deltatrain *machine, const struct deltatrain_room *weights, uint32_t count)
{
    const struct deltatrain_program *program = machine->program;
    MUST(have_room(program->weights, weights, count, program->matrix_count));
    if (program->weights_local) TRY(command(machine, DELTATRAIN_CONTROL_SAVE_WEIGHTS_MASK));
    return read_matrices(machine, program->weights, weights, count);
}

enum deltatrain_result deltatrain_read_gradients(
    const struct deltatrain *machine, const struct deltatrain_room *gradients, uint32_t count)
{
    const struct deltatrain_program *program = machine->program;
    MUST(have_room(program->gradients, gradients, count, program->matrix_count));
    if (program->gradients_local) TRY(command(machine, DELTATRAIN_CONTROL_SAVE_GRADIENTS_MASK));
    return read_matrices(machine, program->gradients, gradients, count);
}

enum deltatrain_result deltatrain_counter(const struct deltatrain *machine, uint32_t low, uint64_t *count)
{
    uint32_t before, least, after;
    MUST(count && low >= DELTATRAIN_CYCLES_LOW && low % (2 * WORD_BYTES) == 0);
    MUST(low < DELTATRAIN_REGISTERS_BYTES);
    TRY(read_register(machine, low + WORD_BYTES, &after));
    do {
        before = after;
        TRY(read_register(machine, low, &least));
        TRY(read_register(machine, low + WORD_BYTES, &after));
    } while (before != after);
    *count = (uint64_t)after << 32 | least;
    return DELTATRAIN_OK;
}
