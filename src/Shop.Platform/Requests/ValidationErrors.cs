using System.Text.Json;

namespace Shop.Platform.Requests;

/// <summary>All errors of a request, by the client's own names: <c>items[1].quantity</c>.</summary>
public sealed class ValidationErrors
{
    /// <summary>
    /// The most errors that are listed, more than any sensible body can have. The rest is counted: an answer must not
    /// be many times larger than its request.
    /// </summary>
    public const int MaxListed = 250;

    // Null for most requests.
    private List<(string Path, string Message)>? _list;
    private int _notListed;

    /// <summary>Whether anything is wrong.</summary>
    public bool Any => _list is not null;

    /// <summary>All errors in one line.</summary>
    public string Summary
    {
        get
        {
            string first = string.Join("; ", All.Take(3).Select(error => $"{error.Path} {error.Message}"));
            return All.Count > 3 ? $"{first}; and {All.Count - 3 + _notListed} more" : first;
        }
    }

    /// <summary>All errors, in the order in which they were found.</summary>
    internal IReadOnlyList<(string Path, string Message)> All => _list ?? [];

    /// <summary>Adds an error: the message continues the name, as in "must be a number".</summary>
    public void Add(string path, string message)
    {
        if (_list?.Count == MaxListed) _notListed++;
        else (_list ??= []).Add((path, message));
    }

    /// <summary>Counts an error without listing it.</summary>
    public void AddUnlisted() => _notListed++;

    /// <summary>The errors of a field, or of anything below it; null if there are none.</summary>
    public string? Of(string path, bool exactly = false)
    {
        string[] messages =
            [.. All.Where(error => error.Path == path
            || (!exactly && error.Path.StartsWith(path + ".", StringComparison.Ordinal)))
            .Select(error => error.Message)];
        return messages.Length == 0 ? null : string.Join("; ", messages);
    }

    internal void WriteTo(Utf8JsonWriter json)
    {
        json.WriteStartObject("errors");
        foreach (IGrouping<string, string> path in All.GroupBy(error => error.Path, error => error.Message))
        {
            json.WriteStartArray(path.Key);
            foreach (string message in path) json.WriteStringValue(message);
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }
}
