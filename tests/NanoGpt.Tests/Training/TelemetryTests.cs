using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;

namespace NanoGpt.Tests.Training;

[Collection(nameof(TorchProcess))]
public sealed class TelemetryTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Meter_activities_and_logger_see_a_run()
    {
        var measured = new Dictionary<string, int>();
        var activities = new List<string>();
        using var meters = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == "NanoGpt" && instrument.Name.StartsWith("nanogpt.training.")) listener.EnableMeasurementEvents(instrument);
            },
        };
        meters.SetMeasurementEventCallback<double>((instrument, _, _, _) => Count(measured, instrument.Name));
        meters.SetMeasurementEventCallback<long>((instrument, _, _, _) => Count(measured, instrument.Name));
        meters.Start();
        var here = Environment.CurrentManagedThreadId; // tests of other classes train at the same time
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "NanoGpt",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStarted = activity =>
            {
                if (Environment.CurrentManagedThreadId == here) activities.Add(activity.OperationName);
            },
        };
        ActivitySource.AddActivityListener(listener);
        var run = new NanoGptRun("nobias-exact");
        using var gpt = run.NewModel();
        using var log = new LineLog();

        new Trainer(gpt, run.Options(_folder.Path) with { MaxIters = 4, EvalInterval = 3 }, log)
            .TrainOn(new NanoGptBatches(), null, TestContext.Current.CancellationToken);

        foreach (var name in new[] { "tokens", "step.duration", "loss", "grad_norm" }) Assert.InRange(measured["nanogpt.training." + name], 5, int.MaxValue);
        Assert.InRange(measured["nanogpt.training.val_loss"], 2, int.MaxValue);
        Assert.Equal(["nanogpt.train", "nanogpt.evaluate", "nanogpt.evaluate", "nanogpt.checkpoint", "nanogpt.checkpoint"], activities);
        Assert.Equal(5, log.Entries.Count(entry => entry.Id is { Id: 1002, Name: "TrainingIteration" }));
        Assert.Equal(2, log.Entries.Count(entry => entry.Id.Name == "TrainingEvaluation"));
        Assert.Equal(2, log.Entries.Count(entry => entry.Id.Name == "TrainingCheckpoint"));
        Assert.Equal(log.Entries.Select(entry => entry.Text), File.ReadAllLines(_folder.File("log.txt")));
    }

    private static void Count(Dictionary<string, int> measured, string name)
    {
        lock (measured) measured[name] = measured.GetValueOrDefault(name) + 1;
    }

    private sealed class LineLog : ILoggerFactory, ILogger
    {
        public List<(EventId Id, string Text)> Entries { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider)
        {
        }

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Entries.Add((eventId, formatter(state, exception)));

        public void Dispose()
        {
        }
    }
}
