using System.Text.Json;

namespace Shop.Platform.Requests;

/// <summary>Everything that is wrong with one request, by the client's own names: <c>items[1].quantity</c>.</summary>
public sealed class ValidationErrors
{
    /// <summary>
    /// Faults that are listed, more than any body of sensible use can have. The rest is counted: the answer to a
    /// request must not be many times as large.
    /// </summary>
    public const int MaxListed = 250;

    // Most requests have none.
    private List<(string Path, string Message)>? _list;
    private int _notListed;

    /// <summary>Whether anything is wrong.</summary>
    public bool Any => _list is not null;

    /// <summary>All of it in one line.</summary>
    public string Summary
    {
        get
        {
            string first = string.Join("; ", All.Take(3).Select(fault => $"{fault.Path} {fault.Message}"));
            return All.Count > 3 ? $"{first}; and {All.Count - 3 + _notListed} more" : first;
        }
    }

    /// <summary>All of it, in the order in which it was found.</summary>
    internal IReadOnlyList<(string Path, string Message)> All => _list ?? [];

    /// <summary>Adds a fault: the message goes on where the name ends, as "must be a number".</summary>
    public void Add(string path, string message)
    {
        if (_list?.Count == MaxListed) _notListed++;
        else (_list ??= []).Add((path, message));
    }

    /// <summary>Counts a fault of a kind that is listed often enough.</summary>
    public void AddUnlisted() => _notListed++;

    /// <summary>What is wrong with a field, or with anything below it; null where nothing is.</summary>
    public string? Of(string path, bool exactly = false)
    {
        string[] messages =
            [.. All.Where(fault => fault.Path == path
            || (!exactly && fault.Path.StartsWith(path + ".", StringComparison.Ordinal)))
            .Select(fault => fault.Message)];
        return messages.Length == 0 ? null : string.Join("; ", messages);
    }

    internal void WriteTo(Utf8JsonWriter json)
    {
        json.WriteStartObject("errors");
        foreach (IGrouping<string, string> path in All.GroupBy(fault => fault.Path, fault => fault.Message))
        {
            json.WriteStartArray(path.Key);
            foreach (string message in path) json.WriteStringValue(message);
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }
}
