using System.Text.Json;

namespace Shop.Platform.Requests;

/// <summary>One JSON object of a request's body. Reading notes every fault and goes on, so that all are named at once.</summary>
public readonly struct BodyObject
{
    private readonly JsonElement _object;
    private readonly string _prefix;
    private readonly Faults _faults;

    internal BodyObject(JsonElement @object, string prefix, Faults faults)
    {
        _object = @object;
        _prefix = prefix;
        _faults = faults;
    }

    /// <summary>Whether the client sent the field, and not as null.</summary>
    public bool Has(Field field) => TryGet(field, out _);

    /// <summary>Reads a field. Where it is missing or wrong the fault is noted, and the value is the field's default.</summary>
    public T? Read<T>(Field<T> field)
    {
        if (!TryGet(field, out JsonElement json))
        {
            if (field.IsRequired) _faults.Add(_prefix + field.Name, "is required");
            return field.Default;
        }

        if (field.Read(json, out T? value) is not { } fault) return value;
        _faults.Add(_prefix + field.Name, fault);
        return field.Default;
    }

    /// <summary>Reads a list of objects. What is no object is noted and passed over.</summary>
    public IEnumerable<BodyObject> Read(ListField field)
    {
        string path = _prefix + field.Name;
        if (!TryGet(field, out JsonElement list))
        {
            if (field.IsRequired) _faults.Add(path, "is required");
            return [];
        }

        if (list.ValueKind != JsonValueKind.Array || list.GetArrayLength() < field.From || list.GetArrayLength() > field.To)
        {
            _faults.Add(path, field.Fault);
            return [];
        }

        return Items(list, path, _faults);
    }

    private static IEnumerable<BodyObject> Items(JsonElement list, string path, Faults faults)
    {
        int index = 0;
        foreach (JsonElement item in list.EnumerateArray())
        {
            string itemPath = $"{path}[{index++}]";
            if (item.ValueKind == JsonValueKind.Object) yield return new BodyObject(item, itemPath + ".", faults);
            else faults.Add(itemPath, "must be an object");
        }
    }

    private bool TryGet(Field field, out JsonElement value)
    {
        value = default;
        return _object.ValueKind == JsonValueKind.Object
            && _object.TryGetProperty(field.Name, out value) && value.ValueKind != JsonValueKind.Null;
    }
}
