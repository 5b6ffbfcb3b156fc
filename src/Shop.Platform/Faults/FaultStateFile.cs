using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Extensions.Logging;
using Shop.Platform.Data;

namespace Shop.Platform.Faults;

/// <summary>
/// The state of the faults for a restart: <c>faults.json</c> in the data directory. It exists while a fault runs.
/// </summary>
internal sealed class FaultStateFile(string directory, ILogger log)
{
    private readonly StateFile _file = new(directory, "faults.json");

    /// <summary>Reads the state that was saved before the shop stopped.</summary>
    public State Read()
    {
        try
        {
            return _file.Read() is { } content
                ? JsonSerializer.Deserialize(content, FaultStateJson.Default.State) ?? State.Nothing
                : State.Nothing;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException)
        {
            log.LogWarning("The faults that ran before can't be read, so none goes on: {Error}", exception.Message);
            return State.Nothing;
        }
    }

    /// <summary>Saves the state for the next start. If it can't be saved, the faults run all the same.</summary>
    public void Write(State state)
    {
        try
        {
            if (state.Runs.Count == 0 && state.Scenario is null) _file.Delete();
            else _file.Write(JsonSerializer.SerializeToUtf8Bytes(state, FaultStateJson.Default.State));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            log.LogWarning("The faults can't be kept, so they end with the process: {Error}", exception.Message);
        }
    }

    /// <param name="Runs">The runs that continue, or whose effect must be undone.</param>
    /// <param name="Scenario">The scenario that is being played; null if there is none.</param>
    internal sealed record State(IReadOnlyList<SavedRun> Runs, SavedScenario? Scenario)
    {
        public static State Nothing { get; } = new([], null);
    }

    internal sealed record SavedRun(string Id, string Fault, decimal Intensity, UtcTime EndsAt, string? Route);

    internal sealed record SavedScenario(string Name, UtcTime StartedAt);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(FaultStateFile.State))]
internal sealed partial class FaultStateJson : JsonSerializerContext;
