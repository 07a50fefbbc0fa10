/* What is sent of a sample: its input vectors, and what is wanted of it. */
#include "deltatrain_inside.h"

int deltatrain_takes_sequence(
    const struct deltatrain_program *program, uint32_t sample, struct deltatrain_numbers sequence)
{
    return sample < program->sample_count &&
           deltatrain_are_within(sequence, program->samples[sample].steps * program->vector_values,
                                 program->vector_lowest, program->vector_highest);
}

int deltatrain_takes_label(const struct deltatrain_program *program, uint32_t sample, struct deltatrain_label label)
{
    uint32_t number;
    if (sample >= program->sample_count || !label.values) return 0;
    if (label.count != program->samples[sample].target_count) return 0;
    for (number = 0; number < label.count; number++) {
        if (label.values[number] < program->label_lowest || label.values[number] > program->label_highest) return 0;
    }
    return 1;
}

enum deltatrain_result deltatrain_send(
    const struct deltatrain *machine, uint32_t sample, struct deltatrain_numbers sequence)
{
    const struct deltatrain_program *program = machine->program;
    const int32_t *value = sequence.values;
    uint32_t step, number;
    MUST(deltatrain_takes_sequence(program, sample, sequence));
    for (step = 0; step < program->samples[sample].steps; step++) {
        struct deltatrain_values values = {machine, program->samples[sample].vectors[step], 0, 0, {0}};
        for (number = 0; number < program->vector_values; number++) {
            TRY(deltatrain_put(&values, *value++, program->vector_value_bytes));
        }
        TRY(deltatrain_flush(&values));
    }
    return DELTATRAIN_OK;
}

/* Write some bits of the program, which is in memory. */
static enum deltatrain_result put_target(
    const struct deltatrain *machine, const struct deltatrain_target *target, int64_t value)
{
    uint32_t first = target->bit / 8, number = 0, count = (target->bit + target->bits - 1) / 8 - first + 1;
    uint8_t bytes[9];
    TRY(deltatrain_read_memory(machine, machine->program->commands_offset + first, bytes, count));
    for (number = 0; number < target->bits; number++) {
        uint32_t at = target->bit % 8 + number;
        uint8_t mask = (uint8_t)(1u << at % 8), bit = (uint8_t)((uint64_t)value >> number & 1);
        bytes[at / 8] = (uint8_t)((bytes[at / 8] & ~mask) | (bit ? mask : 0));
    }
    return deltatrain_write_memory(machine, machine->program->commands_offset + first, bytes, count);
}

enum deltatrain_result deltatrain_set_label(
    const struct deltatrain *machine, uint32_t sample, struct deltatrain_label label)
{
    uint32_t number;
    MUST(deltatrain_takes_label(machine->program, sample, label));
    for (number = 0; number < label.count; number++) {
        TRY(put_target(machine, &machine->program->samples[sample].targets[number], label.values[number]));
    }
    return DELTATRAIN_OK;
}
