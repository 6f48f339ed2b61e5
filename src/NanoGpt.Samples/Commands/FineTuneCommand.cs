// train, from a published model, with defaults for that: few steps, a small constant learning rate.

namespace NanoGpt.Samples.Commands;

internal sealed record FineTuneOptions : TrainOptions
{
    public FineTuneOptions()
    {
        InitFrom = "gpt2";
        Dataset = "shakespeare";
        Trainer = new TrainerOptions
        {
            MaxIters = 200,
            EvalInterval = 20,
            EvalIters = 20,
            BatchSize = 4,
            BlockSize = 256,
            LearningRate = 3e-5,
            DecayLr = false,
        };
    }
}

internal sealed class FineTuneCommand : TrainingCommand<FineTuneOptions>
{
    public override string Name => "finetune";

    public override string Summary => "train, starting from GPT-2 or any other model";

    public override IReadOnlyList<string> Examples =>
    [
        "finetune --init_from=gpt2 --dataset=shakespeare --out_dir=out",
        "finetune --init_from=my-model --dataset=my-book --max_iters=500",
        "sample --out_dir=out --start=\"ROMEO:\"",
    ];
}
