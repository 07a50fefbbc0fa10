/* The driver of a deltatrain machine in C99: no memory of its own, no operating system, any bus.
 *
 * deltatrain_registers.h has the machine's registers, deltatrain_program.h one program; both are made, as is
 * everything that a program says about memory. Numbers are the machine's integers.
 */
#ifndef DELTATRAIN_H
#define DELTATRAIN_H

#include <stdint.h>

/* How an operation ends. */
enum deltatrain_result {
    DELTATRAIN_OK = 0,
    DELTATRAIN_IDENTITY, /* the machine is another one than the program is for, or of another version */
    DELTATRAIN_BUS,      /* the bus of the registers, or the memory, answered with an error */
    DELTATRAIN_PROGRAM,  /* the machine did not understand its program */
    DELTATRAIN_ABORTED,  /* the run was aborted */
    DELTATRAIN_BUSY,     /* something else runs, and nothing was written where it works */
    DELTATRAIN_TIMEOUT   /* the machine did not come to an end in time; it still runs */
};

/* The bus: each function returns 0 if all is well. Addresses of registers are offsets from the machine's first one,
 * addresses of memory those that the machine uses. What is written to memory is there for the machine before a register
 * that is written later: a bus with caches flushes them. */
struct deltatrain_bus {
    void *context;
    int (*read32)(void *context, uint32_t address, uint32_t *value);
    int (*write32)(void *context, uint32_t address, uint32_t value);
    int (*read_bytes)(void *context, uint32_t address, uint8_t *bytes, uint32_t count);
    int (*write_bytes)(void *context, uint32_t address, const uint8_t *bytes, uint32_t count);
};

#define DELTATRAIN_PADDING 0xffffu

/* A matrix in memory, column after column. */
struct deltatrain_matrix {
    const char *name;
    uint32_t rows, columns;
    uint32_t offset;        /* of its first byte in the driver's memory */
    uint32_t value_bytes;   /* two's complement, the lowest first */
    uint32_t column_values; /* values of a column in memory */
    const uint16_t *row_at; /* the row of each of them, or DELTATRAIN_PADDING */
};

/* Where the program says what is wanted of a sample: its bits, counted from the lowest of the program on. */
struct deltatrain_target {
    uint32_t bit, bits;
};

struct deltatrain_sample {
    uint32_t steps;
    const uint32_t *vectors; /* offset of the input of each step */
    uint32_t target_count;
    const struct deltatrain_target *targets;
};

#define DELTATRAIN_UNITS 5
#define DELTATRAIN_BASES 4

/* A program for all steps of a shape. */
struct deltatrain_program {
    uint64_t identity;                /* of the machine that it is for */
    uint32_t memory_bytes;            /* that the driver needs */
    uint32_t commands_offset;         /* where the program goes */
    uint32_t command_bytes;
    const uint8_t *commands;
    uint32_t finishes[DELTATRAIN_UNITS];
    uint32_t bases[DELTATRAIN_BASES]; /* of weights, gradients, tape, inputs, less the first address of the memory */
    int weights_local, gradients_local;
    uint32_t gradients_offset, gradients_bytes;
    uint32_t matrix_count;            /* of W, and as many of dW */
    const struct deltatrain_matrix *weights, *gradients;
    uint32_t vector_values, vector_value_bytes;
    uint32_t sample_count;
    const struct deltatrain_sample *samples;
    uint32_t threshold_count;
    const uint32_t *thresholds;
};

struct deltatrain {
    struct deltatrain_bus bus;
    const struct deltatrain_program *program;
    uint32_t memory;     /* first byte of the driver's memory, a multiple of 128 */
    uint32_t most_polls; /* of the status, until a run takes too long */
};

/* Check that the machine is the program's, and load the program. `memory` and `most_polls` as above. */
enum deltatrain_result deltatrain_open(
    struct deltatrain *machine,
    const struct deltatrain_bus *bus,
    const struct deltatrain_program *program,
    uint32_t memory,
    uint32_t most_polls);

/* Write the program to memory, and to the registers where everything is; all targets are 0. */
enum deltatrain_result deltatrain_load_program(const struct deltatrain *machine);

/* Set the least difference that fires, of x (number 2 l) or of h (number 2 l + 1) of layer l. */
enum deltatrain_result deltatrain_set_threshold(const struct deltatrain *machine, uint32_t number, uint32_t least);

/* Write all matrices W, row after row, in the order of the program's, and make dW zero. */
enum deltatrain_result deltatrain_load_weights(const struct deltatrain *machine, const int32_t *const *weights);

/* Read all matrices W, or dW, row after row. */
enum deltatrain_result deltatrain_read_weights(const struct deltatrain *machine, int32_t *const *weights);
enum deltatrain_result deltatrain_read_gradients(const struct deltatrain *machine, int32_t *const *gradients);

/* Make dW zero. */
enum deltatrain_result deltatrain_clear_gradients(const struct deltatrain *machine);

/* Write the inputs of a sample, step after step. */
enum deltatrain_result deltatrain_send(const struct deltatrain *machine, uint32_t sample, const int32_t *sequence);

/* Write into the program what is wanted of a sample: a number for each of its targets. */
enum deltatrain_result deltatrain_set_label(const struct deltatrain *machine, uint32_t sample, const int64_t *wanted);

/* Run the program to its end. */
enum deltatrain_result deltatrain_run(const struct deltatrain *machine);

/* Run one training step: send and label each sample, then run. */
enum deltatrain_result deltatrain_train_batch(
    const struct deltatrain *machine,
    const int32_t *const *sequences,
    const int64_t *const *wanted,
    int32_t learning_rate);

/* Stop what runs, and return when it has stopped. dW is left as it is: see deltatrain_clear_gradients. */
enum deltatrain_result deltatrain_abort(const struct deltatrain *machine);

/* Read a counter by the address of its lower word, such as DELTATRAIN_CYCLES_LOW. */
enum deltatrain_result deltatrain_counter(const struct deltatrain *machine, uint32_t low, uint64_t *count);

#endif
