/* A run of a program, and how it ends. */
#include "deltatrain_inside.h"
#include "deltatrain_registers.h"

enum deltatrain_result deltatrain_must_be_idle(const struct deltatrain *machine)
{
    uint32_t status;
    TRY(deltatrain_read_register(machine, DELTATRAIN_STATUS, &status));
    return status & DELTATRAIN_STATUS_IDLE_MASK ? DELTATRAIN_OK : DELTATRAIN_BUSY;
}

enum deltatrain_result deltatrain_wait_until_idle(const struct deltatrain *machine, uint32_t *status)
{
    uint32_t polls;
    for (polls = 0; polls < machine->most_polls; polls++) {
        TRY(deltatrain_read_register(machine, DELTATRAIN_STATUS, status));
        if (*status & DELTATRAIN_STATUS_IDLE_MASK) return DELTATRAIN_OK;
    }
    return DELTATRAIN_TIMEOUT;
}

enum deltatrain_result deltatrain_how_it_ended(uint32_t status)
{
    if (status & (DELTATRAIN_STATUS_READ_ERROR_MASK | DELTATRAIN_STATUS_WRITE_ERROR_MASK)) return DELTATRAIN_BUS;
    if (status & DELTATRAIN_STATUS_PROGRAM_ERROR_MASK) return DELTATRAIN_PROGRAM;
    if (status & DELTATRAIN_STATUS_ABORTED_MASK) return DELTATRAIN_ABORTED;
    return DELTATRAIN_OK;
}

enum deltatrain_result deltatrain_command(const struct deltatrain *machine, uint32_t control)
{
    uint32_t status;
    TRY(deltatrain_must_be_idle(machine));
    TRY(deltatrain_write_register(machine, DELTATRAIN_CONTROL, control));
    TRY(deltatrain_wait_until_idle(machine, &status));
    return deltatrain_how_it_ended(status);
}

enum deltatrain_result deltatrain_run(const struct deltatrain *machine)
{
    return deltatrain_command(machine, DELTATRAIN_CONTROL_START_MASK);
}

enum deltatrain_result deltatrain_abort(const struct deltatrain *machine)
{
    uint32_t status;
    TRY(deltatrain_read_register(machine, DELTATRAIN_STATUS, &status));
    if (status & DELTATRAIN_STATUS_IDLE_MASK) return DELTATRAIN_OK;
    TRY(deltatrain_write_register(machine, DELTATRAIN_CONTROL, DELTATRAIN_CONTROL_ABORT_MASK));
    return deltatrain_wait_until_idle(machine, &status);
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
        MUST(deltatrain_takes_sequence(program, sample, sequences[sample]));
        MUST(deltatrain_takes_label(program, sample, labels[sample]));
    }
    TRY(deltatrain_must_be_idle(machine));
    for (sample = 0; sample < count; sample++) {
        TRY(deltatrain_send(machine, sample, sequences[sample]));
        TRY(deltatrain_set_label(machine, sample, labels[sample]));
    }
    TRY(deltatrain_write_register(machine, DELTATRAIN_LEARNING_RATE, (uint32_t)learning_rate));
    return deltatrain_run(machine);
}
