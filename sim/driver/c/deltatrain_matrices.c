/* Matrices W and dW, into memory and out of it. */
#include "deltatrain_inside.h"
#include "deltatrain_registers.h"

static enum deltatrain_result write_matrix(
    const struct deltatrain *machine, const struct deltatrain_matrix *matrix, const int32_t *elements)
{
    struct deltatrain_values values = {machine, matrix->offset, 0, 0, {0}};
    uint32_t column, at;
    for (column = 0; column < matrix->columns; column++) {
        for (at = 0; at < matrix->column_values; at++) {
            uint32_t row = matrix->row_at[at];
            int32_t value = row == DELTATRAIN_PADDING ? 0 : elements[row * matrix->columns + column];
            TRY(deltatrain_put(&values, value, matrix->value_bytes));
        }
    }
    return deltatrain_flush(&values);
}

static enum deltatrain_result read_matrix(
    const struct deltatrain *machine, const struct deltatrain_matrix *matrix, int32_t *elements)
{
    uint32_t size = matrix->columns * matrix->column_values * matrix->value_bytes;
    struct deltatrain_values values = {machine, matrix->offset, 0, size, {0}};
    uint32_t column, at;
    for (column = 0; column < matrix->columns; column++) {
        for (at = 0; at < matrix->column_values; at++) {
            uint32_t row = matrix->row_at[at];
            int32_t value;
            TRY(deltatrain_get(&values, &value, matrix->value_bytes));
            if (row != DELTATRAIN_PADDING) elements[row * matrix->columns + column] = value;
        }
    }
    return DELTATRAIN_OK;
}

enum deltatrain_result deltatrain_load_weights(
    const struct deltatrain *machine, const struct deltatrain_numbers *weights, uint32_t count)
{
    const struct deltatrain_program *program = machine->program;
    uint32_t number;
    MUST(weights && count == program->matrix_count);
    for (number = 0; number < count; number++) {
        const struct deltatrain_matrix *matrix = &program->weights[number];
        MUST(deltatrain_are_within(weights[number], matrix->rows * matrix->columns, matrix->lowest, matrix->highest));
    }
    TRY(deltatrain_must_be_idle(machine));
    for (number = 0; number < count; number++) {
        TRY(write_matrix(machine, &program->weights[number], weights[number].values));
    }
    if (program->weights_local) TRY(deltatrain_command(machine, DELTATRAIN_CONTROL_LOAD_WEIGHTS_MASK));
    return deltatrain_clear_gradients(machine);
}

enum deltatrain_result deltatrain_clear_gradients(const struct deltatrain *machine)
{
    const struct deltatrain_program *program = machine->program;
    struct deltatrain_values values = {machine, program->gradients_offset, 0, 0, {0}};
    uint32_t number;
    TRY(deltatrain_must_be_idle(machine));
    if (program->gradients_local) return deltatrain_command(machine, DELTATRAIN_CONTROL_CLEAR_GRADIENTS_MASK);
    for (number = 0; number < program->gradients_bytes; number++) {
        TRY(deltatrain_put(&values, 0, 1));
    }
    return deltatrain_flush(&values);
}

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
    if (program->weights_local) TRY(deltatrain_command(machine, DELTATRAIN_CONTROL_SAVE_WEIGHTS_MASK));
    return read_matrices(machine, program->weights, weights, count);
}

enum deltatrain_result deltatrain_read_gradients(
    const struct deltatrain *machine, const struct deltatrain_room *gradients, uint32_t count)
{
    const struct deltatrain_program *program = machine->program;
    MUST(have_room(program->gradients, gradients, count, program->matrix_count));
    if (program->gradients_local) TRY(deltatrain_command(machine, DELTATRAIN_CONTROL_SAVE_GRADIENTS_MASK));
    return read_matrices(machine, program->gradients, gradients, count);
}
