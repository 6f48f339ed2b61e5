// nanoGPT's train.py.

namespace NanoGpt.Samples.Commands;

internal sealed class TrainCommand : TrainingCommand<TrainOptions>
{
    public override string Name => "train";

    public override string Summary => "train from scratch, or go on with a run";

    public override IReadOnlyList<string> Examples =>
    [
        "train --dataset=shakespeare_char --n_layer=4 --n_head=4 --n_embd=128",
        "train configs/train_shakespeare_char_cpu.json --max_iters=500",
        "train --init_from=resume --out_dir=out",
    ];
}
