using System.Text.Json;

namespace Shop.Platform.Requests;

/// <summary>
/// One JSON object of a request's body. Reading collects all errors, so that the client gets all of them at once.
/// </summary>
public readonly struct BodyObject
{
    /// <summary>The most unknown fields of one object that are compared with the known ones.</summary>
    private const int MaxUnknown = 16;

    private readonly JsonElement _object;
    private readonly ValidationErrors _errors;
    private readonly string? _list;
    private readonly int _index;

    internal BodyObject(JsonElement root, IReadOnlyList<Field> fields, ValidationErrors errors)
    {
        _object = root;
        _errors = errors;
        if (root.ValueKind == JsonValueKind.Object) NameMisspelt(fields);
    }

    private BodyObject(JsonElement item, IReadOnlyList<Field> fields, string list, int index, ValidationErrors errors)
    {
        _object = item;
        _list = list;
        _index = index;
        _errors = errors;
        NameMisspelt(fields);
    }

    /// <summary>Whether the client sent the field, and not as null.</summary>
    public bool Has(Field field) => TryGet(field, out _);

    /// <summary>
    /// Reads a field. If it is missing or wrong, the error is added, and the value is the field's default.
    /// </summary>
    public T? Read<T>(Field<T> field)
    {
        if (!TryGet(field, out JsonElement json))
        {
            if (field.IsRequired) _errors.Add(PathOf(field), "is required");
            return field.Default;
        }

        if (field.Read(json, out T? value) is not { } error) return value;
        _errors.Add(PathOf(field), error);
        return field.Default;
    }

    /// <summary>Reads a list of objects. An item that is not an object is an error, and is skipped.</summary>
    /// <param name="field">The list.</param>
    /// <param name="read">Reads one of its objects.</param>
    public IReadOnlyList<T> Read<T>(ListField field, Func<BodyObject, T> read)
    {
        string path = PathOf(field);
        if (!TryGet(field, out JsonElement list))
        {
            if (field.IsRequired) _errors.Add(path, "is required");
            return [];
        }

        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() < field.Min
            || list.GetArrayLength() > field.Max)
        {
            _errors.Add(path, field.Error);
            return [];
        }

        var items = new List<T>(list.GetArrayLength());
        int index = 0;
        foreach (JsonElement item in list.EnumerateArray())
        {
            if (item.ValueKind == JsonValueKind.Object)
                items.Add(read(new BodyObject(item, field.Fields, path, index, _errors)));
            else _errors.Add($"{path}[{index}]", "must be an object");
            index++;
        }

        return items;
    }

    // An unknown field is ignored, but a misspelt known field is an error: its sender expects that it has an effect.
    private void NameMisspelt(IReadOnlyList<Field> fields)
    {
        int unknown = 0;
        foreach (JsonProperty property in _object.EnumerateObject())
        {
            if (IsKnown(property, fields)) continue;
            if (++unknown > MaxUnknown) return;
            NameMisspelt(property.Name, fields);
        }
    }

    private static bool IsKnown(JsonProperty property, IReadOnlyList<Field> fields)
    {
        for (int i = 0; i < fields.Count; i++)
        {
            if (property.NameEquals(fields[i].Utf8Name)) return true;
        }

        return false;
    }

    private void NameMisspelt(string name, IReadOnlyList<Field> fields)
    {
        JsonElement sent = _object;
        string? meant = NameSuggestion.Nearest(name,
            fields.Where(field => !sent.TryGetProperty(field.Utf8Name, out _)).Select(field => field.Name));
        if (meant is not null) _errors.Add(PathOf(name), $"is not a field here; did you mean {meant}?");
    }

    private string PathOf(Field field) => PathOf(field.Name);

    private string PathOf(string name) => _list is null ? name : $"{_list}[{_index}].{name}";

    private bool TryGet(Field field, out JsonElement value)
    {
        value = default;
        return _object.ValueKind == JsonValueKind.Object
            && _object.TryGetProperty(field.Utf8Name, out value) && value.ValueKind != JsonValueKind.Null;
    }
}
