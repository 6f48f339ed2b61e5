// What monitoring is told to listen for is what there is.

using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using NanoGpt.Training;

namespace NanoGpt.EndToEnd.Docs;

public sealed class TelemetryTests
{
    [Fact]
    public void Each_instrument_and_event_id_of_training_stands_in_the_docs()
    {
        var instruments = new List<string>();
        using var meters = new MeterListener
        {
            InstrumentPublished = (instrument, _) =>
            {
                if (instrument.Meter.Name == "NanoGpt") instruments.Add(instrument.Name);
            },
        };
        RuntimeHelpers.RunClassConstructor(typeof(TrainingTelemetry).TypeHandle);
        meters.Start();
        var page = File.ReadAllText(Package.Repository.File("docs", "fine-tuning.md"));

        Assert.Equal(6, instruments.Count);
        Assert.All(instruments, name => Assert.Contains($"`{name}`", page, StringComparison.Ordinal));
        foreach (var what in Enum.GetValues<TrainingEvent>().Where(what => what != TrainingEvent.Finished)) // which has no line
            Assert.Contains($"{TrainingTelemetry.Id(what).Id} `{TrainingTelemetry.Id(what).Name}`", page, StringComparison.Ordinal);
    }
}
