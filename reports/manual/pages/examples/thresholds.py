"""Train a Delta GRU on the vowels with several thresholds, and print what each costs on a machine."""

import deltatrain as dt

print("theta_h  accuracy  operations saved  time of a step   energy")
for theta_h in (0.05, 0.2, 0.4):
    workload = dt.Workload.named("vowels", {"theta_h": theta_h, "training.epochs": 8, "training.dense_epochs": 2})
    result = dt.simulate("edge", dt.train(workload))
    training, joules = result.training, sum(result.energy_j.values())
    print(
        f"{theta_h:7g}  {training['accuracy']:8.1%}  {training['saved']:16.1%}"
        f"  {1e3 * result.counters.seconds:11.2f} ms  {1e3 * joules:5.2f} mJ"
    )
